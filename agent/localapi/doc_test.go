package localapi

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/stampd/stampd/uplink/wire"
)

var update = flag.Bool("update", false, "write uplink/wire/local.md")

// documentedSocket is where the agent listens in local.md: the setting as it is shipped.
const documentedSocket = "/run/stampd/stampd.sock"

// TestLocalMD holds local.md to the schema, the route table, the examples and the errors in the source.
func TestLocalMD(t *testing.T) {
	path := filepath.Join(schemaFolder, "local.md")
	want := newGuide(t).write()
	if t.Failed() {
		return
	}
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("%s is not what the schema, the examples and the errors come to (%v): go test ./agent/localapi -run LocalMD -update", path, err)
	}
}

// guide is what local.md is written from.
type guide struct {
	strings.Builder
	t        *testing.T
	comments map[string]string
	examples map[string][]example
	routes   map[string]route
	seen     map[protoreflect.FullName]bool
	types    []protoreflect.Descriptor // messages and enums to be described, in the order in which they were met
}

func newGuide(t *testing.T) *guide {
	t.Helper()
	s := newServer(newOptions(t, t.TempDir()))
	defer s.stop()
	return &guide{t: t, comments: schemaComments(t), examples: examples(), routes: s.routes, seen: map[protoreflect.FullName]bool{}}
}

func (g *guide) write() string {
	intro, err := os.ReadFile(filepath.Join("testdata", "local.md"))
	if err != nil {
		g.t.Fatal(err)
	}
	service := wire.File_local_proto.Services().ByName("LocalService")
	methods := service.Methods()
	head, rest, ok := strings.Cut(string(intro), "<!-- calls -->\n")
	if !ok {
		g.t.Fatal("testdata/local.md has no place for the calls")
	}
	g.WriteString(head)
	for i := range methods.Len() {
		g.call(methods.Get(i))
	}
	if len(g.examples) > 0 {
		g.t.Errorf("examples of calls that there are none of: %v", g.examples)
	}
	mid, tail, ok := strings.Cut(rest, "<!-- errors -->\n")
	if !ok {
		g.t.Fatal("testdata/local.md has no place for the errors")
	}
	g.WriteString(mid)
	g.WriteString("| reason | code | what it means | what to do |\n|---|---|---|---|\n")
	for _, row := range errorTable(g.t) {
		fmt.Fprintf(g, "| `%s` | `%s` | %s | %s |\n", row.reason, row.code, cell(row.text), cell(row.hint))
	}
	g.WriteString(tail)
	for i := 0; i < len(g.types); i++ { // describing one may add others
		g.describe(g.types[i])
	}
	return g.String()
}

// call writes the chapter of one call.
func (g *guide) call(m protoreflect.MethodDescriptor) {
	name := string(m.Name())
	fmt.Fprintf(g, "### %s\n\n%s\n\n", name, g.comment(string(m.FullName())))
	r := g.routes[localService+name]
	who := map[role]string{rolePOS: "`local.pos_uids`, `local.admin_uids`, root", roleAdmin: "`local.admin_uids`, root"}[r.least]
	limit := "as long as the caller wants"
	if r.shape == unary {
		limit = r.timeout.Round(time.Second).String()
	}
	fmt.Fprintf(g, "Who may call: %s. Time limit: %s.\n\n", who, limit)
	answer := "Answer"
	if m.IsStreamingServer() {
		answer = "Answers, until the stream ends"
	}
	fmt.Fprintf(g, "Request: %s. %s: %s.\n\n", g.link(m.Input()), answer, g.link(m.Output()))
	if len(g.examples[name]) == 0 {
		g.t.Errorf("%s has no example: add one in doc_examples_test.go", name)
	}
	for _, e := range g.examples[name] {
		kind := "json"
		if m.IsStreamingServer() {
			kind = "jsonl"
		}
		fmt.Fprintf(g, "%s\n\n```sh\n%s\n```\n```%s\n%s\n```\n\n", e.what, curlLine(m, e.request), kind, e.answer)
	}
	delete(g.examples, name)
}

// curlLine returns how a call is made with curl.
func curlLine(m protoreflect.MethodDescriptor, request string) string {
	url := "http://stampd" + localService + string(m.Name())
	if !m.IsStreamingServer() {
		return fmt.Sprintf("curl -s --unix-socket %s -H 'Content-Type: application/json' \\\n  -d '%s' \\\n  %s", documentedSocket, request, url)
	}
	envelope := inEnvelope([]byte(request))
	printf := strings.Builder{}
	for _, b := range envelope[:envelopeHeader] {
		fmt.Fprintf(&printf, `\%03o`, b)
	}
	return fmt.Sprintf("printf '%s%s' |\n  curl -sN --unix-socket %s -H 'Content-Type: application/connect+json' -H 'Connect-Timeout-Ms: 1000' \\\n"+
		"    --data-binary @- %s |\n  tr '\\000\\002' '\\n\\n' | grep -ao '{\".*'", printf.String(), request, documentedSocket, url)
}

// link returns a link to a type's description, and notes that it is needed.
func (g *guide) link(d protoreflect.Descriptor) string {
	if !g.seen[d.FullName()] {
		g.seen[d.FullName()] = true
		g.types = append(g.types, d)
	}
	return fmt.Sprintf("[%s](#%s)", d.Name(), strings.ToLower(string(d.Name())))
}

// describe writes a message's fields, or an enum's values.
func (g *guide) describe(d protoreflect.Descriptor) {
	fmt.Fprintf(g, "\n### %s\n\n%s\n", d.Name(), g.comment(string(d.FullName())))
	switch d := d.(type) {
	case protoreflect.MessageDescriptor:
		if d.Fields().Len() > 0 {
			g.WriteString("\n| field | type | what it is |\n|---|---|---|\n")
		}
		for i := range d.Fields().Len() {
			f := d.Fields().Get(i)
			fmt.Fprintf(g, "| `%s` | %s | %s |\n", f.Name(), g.typeOf(f), cell(g.comment(string(f.FullName()))))
		}
	case protoreflect.EnumDescriptor:
		g.WriteString("\n| value | what it means |\n|---|---|\n")
		for i := range d.Values().Len() {
			v := d.Values().Get(i)
			fmt.Fprintf(g, "| `%s` | %s |\n", v.Name(), cell(g.comment(string(d.FullName())+"."+string(v.Name()))))
		}
	}
}

func (g *guide) typeOf(f protoreflect.FieldDescriptor) string {
	text := f.Kind().String()
	switch {
	case f.Message() != nil:
		text = g.link(f.Message())
	case f.Enum() != nil:
		text = g.link(f.Enum())
	}
	if f.IsList() {
		return "list of " + text
	}
	return text
}

func (g *guide) comment(name string) string {
	g.t.Helper()
	if g.comments[name] == "" {
		g.t.Errorf("%s has no comment", name)
	}
	return g.comments[name]
}

// cell returns text as the cell of a table.
func cell(text string) string {
	return strings.NewReplacer("\n", " ", "|", `\|`).Replace(text)
}
