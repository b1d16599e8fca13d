package localapi

import (
	"regexp"
	"strconv"

	"connectrpc.com/connect"
)

// jsonErrorAt is how protojson's errors begin. What follows quotes the request.
var jsonErrorAt = regexp.MustCompile(`^proto:[\s\x{a0}](syntax error )?\(line (\d{1,6}):(\d{1,6})\): (unknown field|duplicate field|invalid value)?`)

// refuseJSON says where a request of so many bytes stops being the JSON of the call, and what is wrong there.
func refuseJSON(err error, size int) *refusal {
	r := &refusal{
		code: connect.CodeInvalidArgument, reason: "MALFORMED",
		text: "cannot read the request: not the JSON of this call",
		hint: "send one JSON object with the fields of local.proto; 64-bit numbers may be strings",
	}
	found := jsonErrorAt.FindStringSubmatch(err.Error())
	if found == nil {
		return r
	}
	switch syntax, what := found[1] != "", found[4]; {
	case syntax:
	case what == "unknown field":
		r.reason, r.text = "UNKNOWN_FIELD", "cannot read the request: no such field"
		r.hint = "see local.proto for the fields of this call; what has no field is not kept"
	case what == "duplicate field":
		r.text = "cannot read the request: a field is given twice"
	case what == "invalid value":
		r.reason, r.text = "BAD_VALUE", "cannot read the request: value of the wrong type"
		r.hint = "amounts are whole numbers in minor units, enums are names of the schema"
	}
	line, _ := strconv.Atoi(found[2])
	column, _ := strconv.Atoi(found[3])
	if line > 0 && line <= size+1 && column > 0 && column <= size+1 {
		r.text += " at line " + strconv.Itoa(line) + ", column " + strconv.Itoa(column)
	}
	return r
}
