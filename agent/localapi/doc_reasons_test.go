package localapi

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stampd/stampd/loyalty/phone"
)

// invalidReasons says what each reason means that a field is refused with. A reason that is used and not here, or the other
// way round, fails TestLocalMD.
func invalidReasons() map[string]string {
	return map[string]string{
		"MISSING":       "a field that must be set is not",
		"OUT_OF_RANGE":  "a number is too small or too large",
		"BAD_FORMAT":    "a text has characters that it can't have, or is too long",
		"UNKNOWN_VALUE": "a value that there is none of",
		"TOO_MANY":      "too many different names to be told apart",

		phoneReason(phone.TooShort):  phone.TooShort.Error(),
		phoneReason(phone.TooLong):   phone.TooLong.Error(),
		phoneReason(phone.Letters):   phone.Letters.Error(),
		phoneReason(phone.Ambiguous): phone.Ambiguous.Error(),
		phoneReason(phone.NoCountry): phone.NoCountry.Error(),
		phoneReason(phone.NoRegion):  phone.NoRegion.Error(),
		phoneReason(phone.NoNumber):  phone.NoNumber.Error(),
	}
}

// violationReasons says what each reason means whose text names a field and what is in it.
func violationReasons() map[string]string {
	return map[string]string{
		"CARDHOLDER_DATA": "a field holds a card's number, its track, or a verification code; nothing was recorded but that it came",
		"UNCHECKABLE":     "a field can't be checked for cardholder data",
		"UNKNOWN_FIELD":   "the request has fields that are not in the schema",
	}
}

func phoneReason(r phone.Refusal) string { return strings.ToUpper(string(r)) }

// documented is one row of the table of errors.
type documented struct{ reason, code, text, hint string }

// errorTable returns every reason that the local API refuses with, as the source has them.
func errorTable(t *testing.T) []documented {
	t.Helper()
	src := readSource(t, ".", "../../loyalty/ledger", "../../loyalty/phone")
	rows := map[documented]bool{}
	used := map[string]bool{}
	src.eachLiteral(func(lit *ast.CompositeLit, name string) {
		switch name {
		case "refusal":
			if row := src.refusalRow(t, lit); row.reason != "" {
				rows[row] = true
			}
		case "Invalid":
			src.invalidReasons(t, lit, used)
		}
	})
	src.eachReasonSet(func(row documented) { rows[row] = true })
	meanings := invalidReasons()
	for reason := range used {
		if meanings[reason] == "" {
			t.Errorf("reason %s is not in invalidReasons: say what it means", reason)
		}
		rows[documented{reason, "invalid_argument", meanings[reason], "the hint says what to send"}] = true
	}
	for reason := range meanings {
		if !used[reason] {
			t.Errorf("reason %s is in invalidReasons, and nothing is refused with it", reason)
		}
	}
	var table []documented
	for row := range rows {
		row.text = or(row.text, violationReasons()[row.reason])
		if row.text == "" || row.hint == "" || row.code == "" {
			t.Errorf("what a refusal says can't be read from the source: %+v", row)
		}
		table = append(table, row)
	}
	slices.SortFunc(table, func(a, b documented) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return table
}

// source is the code of some packages.
type source struct {
	files  []*ast.File
	consts map[string]ast.Expr
}

func readSource(t *testing.T, folders ...string) *source {
	t.Helper()
	s := &source{consts: map[string]ast.Expr{}}
	for _, folder := range folders {
		names, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil || len(names) == 0 {
			t.Fatalf("source in %s: %v, %v", folder, names, err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			s.files = append(s.files, f)
		}
	}
	for _, f := range s.files {
		ast.Inspect(f, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok {
				for i, name := range spec.Names {
					if i < len(spec.Values) {
						s.consts[name.Name] = spec.Values[i]
					}
				}
			}
			return true
		})
	}
	return s
}

// eachLiteral calls fn with every composite literal of a named type.
func (s *source) eachLiteral(fn func(lit *ast.CompositeLit, name string)) {
	for _, f := range s.files {
		for _, d := range f.Decls {
			ast.Inspect(d, func(n ast.Node) bool {
				if lit, ok := n.(*ast.CompositeLit); ok {
					switch of := lit.Type.(type) {
					case *ast.Ident:
						fn(lit, of.Name)
					case *ast.SelectorExpr:
						fn(lit, of.Sel.Name)
					}
				}
				return true
			})
		}
	}
}

// eachReasonSet calls fn with the rows of refusals that get another reason after they were made, each in a case of a switch.
func (s *source) eachReasonSet(fn func(documented)) {
	for _, f := range s.files {
		for _, d := range f.Decls {
			code := "" // of the function's refusal
			ast.Inspect(d, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.CompositeLit:
					if of, ok := n.Type.(*ast.Ident); ok && of.Name == "refusal" && code == "" {
						code = codeName(fieldOf(n, "code", 0))
					}
				case *ast.CaseClause:
					if row := s.assigned(n); row.reason != "" {
						row.code = code
						fn(row)
					}
				}
				return true
			})
		}
	}
}

// assigned returns what a case assigns to the fields of a refusal.
func (s *source) assigned(clause *ast.CaseClause) (row documented) {
	for _, statement := range clause.Body {
		assign, ok := statement.(*ast.AssignStmt)
		if !ok || len(assign.Lhs) != len(assign.Rhs) {
			continue
		}
		for i, left := range assign.Lhs {
			sel, ok := left.(*ast.SelectorExpr)
			if !ok {
				continue
			}
			switch text := s.text(assign.Rhs[i]); sel.Sel.Name {
			case "reason":
				row.reason = text
			case "text":
				row.text = text
			case "hint":
				row.hint = text
			}
		}
	}
	return row
}

// refusalRow returns the row of a refusal, or none for one that repeats what an Invalid says.
func (s *source) refusalRow(t *testing.T, lit *ast.CompositeLit) (row documented) {
	t.Helper()
	row = documented{
		s.text(fieldOf(lit, "reason", 1)), codeName(fieldOf(lit, "code", 0)), s.text(fieldOf(lit, "text", 3)), s.text(fieldOf(lit, "hint", 4)),
	}
	if sel, ok := fieldOf(lit, "reason", 1).(*ast.SelectorExpr); ok && sel.Sel.Name == "Reason" {
		return documented{}
	}
	if len(lit.Elts) > 0 && (row.reason == "" || row.code == "") {
		t.Errorf("a refusal has no reason or no code that can be read: %+v", row)
	}
	return row
}

// invalidReasons notes the reason of an Invalid.
func (s *source) invalidReasons(t *testing.T, lit *ast.CompositeLit, used map[string]bool) {
	t.Helper()
	if len(lit.Elts) == 0 {
		return
	}
	expr := fieldOf(lit, "Reason", 1)
	if reason := s.text(expr); reason != "" {
		used[reason] = true
		return
	}
	// strings.ToUpper(string(phone.Refusal))
	if call, ok := expr.(*ast.CallExpr); ok && strings.Contains(fmt.Sprint(call.Fun), "ToUpper") {
		for _, r := range []phone.Refusal{phone.TooShort, phone.TooLong, phone.Letters, phone.Ambiguous, phone.NoCountry, phone.NoRegion, phone.NoNumber} {
			used[phoneReason(r)] = true
		}
		return
	}
	t.Errorf("the reason of an Invalid can't be read: make it a constant")
}

// fieldOf returns a field of a literal, by its name or its place.
func fieldOf(lit *ast.CompositeLit, name string, place int) ast.Expr {
	for _, e := range lit.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok && fmt.Sprint(kv.Key) == name {
			return kv.Value
		}
	}
	if place < len(lit.Elts) {
		if _, keyed := lit.Elts[place].(*ast.KeyValueExpr); !keyed {
			return lit.Elts[place]
		}
	}
	return nil
}

// text returns what an expression of constants comes to, with "…" for what is not constant beside what is, or "".
func (s *source) text(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, _ := strconv.Unquote(e.Value)
		return text
	case *ast.BinaryExpr:
		left, right := s.text(e.X), s.text(e.Y)
		if left == "" && right == "" {
			return ""
		}
		return or(left, "…") + or(right, "…")
	case *ast.Ident:
		return s.text(s.consts[e.Name])
	case *ast.SelectorExpr:
		return s.text(s.consts[e.Sel.Name])
	}
	return ""
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// codeName returns how Connect spells a code: CodeInvalidArgument is invalid_argument.
func codeName(e ast.Expr) string {
	sel, ok := e.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	var b strings.Builder
	for i, r := range strings.TrimPrefix(sel.Sel.Name, "Code") {
		if i > 0 && r < 'a' {
			b.WriteByte('_')
		}
		b.WriteString(strings.ToLower(string(r)))
	}
	return b.String()
}
