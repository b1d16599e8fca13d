package block

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// FORMAT.md has the table of what is usual, as it is in the code.
func TestFormatTable(t *testing.T) {
	file, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := "| field | kind | value | style | base | gain | step | |\n|---|---|---|---|---|---|---|---|\n" + tableOf("", usualEvent.fields)
	if !strings.HasSuffix(string(file), "\n"+rows) {
		t.Errorf("FORMAT.md does not end in\n%s", rows)
	}
}

// tableOf returns the rows of the usual fields below a path.
func tableOf(path string, fields []usual) string {
	var rows strings.Builder
	for _, u := range fields {
		base := [...]string{"", "before", fmt.Sprintf("1.%d", u.on), fmt.Sprintf("/1000 of 1.%d", u.on)}[u.base]
		value := number0(u.value)
		if u.text != "" {
			value = fmt.Sprintf("%q", u.text)
			if u.text[0] == 0 {
				value = fmt.Sprintf("%d bytes 0", len(u.text))
			}
		}
		seldom := map[bool]string{true: "seldom"}[u.seldom]
		fmt.Fprintf(&rows, "| %s%d | %d | %s | %s | %s | %s | %s | %s |\n",
			path, u.number, u.kind, value, number0(int64(u.style)), base, number0(int64(u.gain)), number0(u.step), seldom)
		rows.WriteString(tableOf(fmt.Sprintf("%s%d.", path, u.number), u.fields))
	}
	return rows.String()
}

// number0 returns a number, and nothing for 0.
func number0(v int64) string {
	if v == 0 {
		return ""
	}
	return fmt.Sprint(v)
}
