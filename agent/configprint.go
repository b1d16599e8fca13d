// Writing settings down, as a config file and as JSON. The TOML library could, for 70 KB more.

package main

import (
	"encoding"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
)

// printConfig writes the settings as a config file with comments, or as JSON with their names in camelCase, as in all JSON
// of the program. sources says where each "section.key" has its value from; nil says nothing.
func printConfig(w io.Writer, cfg Config, sources map[string]string, asJSON bool) error {
	var text strings.Builder
	sections, from := map[string]any{}, map[string]any{}
	for section, settings := range reflect.ValueOf(cfg).Fields() {
		if text.Len() > 0 {
			text.WriteByte('\n')
		}
		fmt.Fprintf(&text, "# %s\n[%s]\n", section.Tag.Get("comment"), section.Tag.Get("toml"))
		values, origins := map[string]any{}, map[string]any{}
		for setting, v := range settings.Fields() {
			name := setting.Tag.Get("toml")
			value, err := plain(v)
			if err != nil {
				return fmt.Errorf("cannot write %s: %w", name, err)
			}
			mark := ""
			if setting.Tag.Get(remote) != "" {
				mark = " Remote."
			}
			fmt.Fprintf(&text, "# %s%s\n%s = %s", setting.Tag.Get("comment"), mark, name, inTOML(value))
			if source := sources[section.Tag.Get("toml")+"."+name]; source != "" {
				fmt.Fprintf(&text, " # %s", source)
				origins[inCamelCase(name)] = source
			}
			text.WriteByte('\n')
			values[inCamelCase(name)] = value
		}
		from[inCamelCase(section.Tag.Get("toml"))] = origins
		sections[inCamelCase(section.Tag.Get("toml"))] = values
	}
	if !asJSON {
		_, err := io.WriteString(w, text.String())
		return err
	}
	if sources != nil {
		sections["sources"] = from
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(sections)
}

// plain returns a setting as a string, a number, a bool, or a list of them.
func plain(v reflect.Value) (any, error) {
	if t, ok := reflect.TypeAssert[encoding.TextMarshaler](v); ok {
		text, err := t.MarshalText()
		return string(text), err
	}
	if v.Kind() != reflect.Slice {
		return v.Interface(), nil
	}
	list := make([]any, v.Len())
	for i := range list {
		list[i] = v.Index(i).Interface()
	}
	return list, nil
}

// inTOML writes a value of [plain] (toml.io/en/v1.0.0).
func inTOML(value any) string {
	switch v := value.(type) {
	case string:
		return quoteTOML(v)
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = inTOML(item)
		}
		return "[" + strings.Join(items, ", ") + "]"
	case float64:
		text := strings.ToLower(strconv.FormatFloat(v, 'f', -1, 64))
		if strings.Trim(text, "-0123456789") == "" {
			text += ".0" // else it is an integer
		}
		return text
	}
	return fmt.Sprint(value)
}

// quoteTOML writes a text as it is where that can be, and else with escapes.
func quoteTOML(text string) string {
	control := func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }
	if !strings.ContainsRune(text, '\'') && !strings.ContainsFunc(text, control) {
		return "'" + text + "'"
	}
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case control(r):
			fmt.Fprintf(&b, "\\u%04X", r)
		default:
			b.WriteRune(r)
		}
	}
	return `"` + b.String() + `"`
}

// inCamelCase returns "maxSize" for "max_size".
func inCamelCase(name string) string {
	words := strings.Split(name, "_")
	for i := 1; i < len(words); i++ {
		words[i] = strings.ToUpper(words[i][:1]) + words[i][1:]
	}
	return strings.Join(words, "")
}
