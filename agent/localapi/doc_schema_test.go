package localapi

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// schemaFolder is where the .proto files are.
const schemaFolder = "../../uplink/wire"

var (
	protoComment = regexp.MustCompile(`^\s*//\s?(.*)$`)
	protoScope   = regexp.MustCompile(`^\s*(message|enum|service|oneof) (\w+) \{(\})?$`)
	protoCall    = regexp.MustCompile(`^\s*rpc (\w+)\(.*(\{|;)$`)
	protoField   = regexp.MustCompile(`^\s*(?:optional |repeated )?(?:[\w.]+ )?(\w+) = -?\d+(?: \[.*\])?;$`)
)

// schemaComments returns the comment of every message, enum, call, field and value of the schema, by its full name. Values
// have the name of their enum in it, unlike in protobuf. It reads the files as buf format leaves them.
func schemaComments(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(schemaFolder, "*.proto"))
	if err != nil || len(files) == 0 {
		t.Fatalf("files of the schema: %v, %v", files, err)
	}
	comments := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		commentsIn(string(text), comments)
	}
	return comments
}

func commentsIn(text string, comments map[string]string) {
	scopes := []string{"stampd.v1"}
	var comment []string
	note := func(name string) string {
		full := scopes[len(scopes)-1] + "." + name
		comments[full] = strings.Join(comment, "\n")
		return full
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if m := protoComment.FindStringSubmatch(line); m != nil {
			comment = append(comment, m[1])
			continue
		}
		if m := protoScope.FindStringSubmatch(line); m != nil {
			inner := scopes[len(scopes)-1] // the fields of a oneof are its message's
			if m[1] != "oneof" {
				inner = note(m[2])
			}
			if m[3] == "" {
				scopes = append(scopes, inner)
			}
		} else if m := protoCall.FindStringSubmatch(line); m != nil {
			note(m[1])
			if m[2] == "{" {
				scopes = append(scopes, scopes[len(scopes)-1])
			}
		} else if m := protoField.FindStringSubmatch(line); m != nil {
			note(m[1])
		} else if strings.TrimSpace(line) == "}" {
			scopes = scopes[:len(scopes)-1]
		}
		comment = nil
	}
}
