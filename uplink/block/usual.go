package block

// usual is what a field mostly is, which a block therefore need not say.
type usual struct {
	number int32
	kind   kind
	seldom bool  // mostly it is not there
	value  int64 // a likely value
	text   string
	style  style // of a column of several rows
	base   baseKind
	on     int32 // the base's field: its number in Event.clock
	gain   int
	step   int64   // 0 means 1
	fields []usual // in the order in which they are encoded
}

// unusual is what is known of a field that is not among the usual ones. It is never changed.
var unusual usual

// usualEvent is an event with the fields of the schema when the format was made, and values that are likely on a
// terminal. It is part of the format and never changes: what is not in it, or differs from it, is described in the block.
var usualEvent = usual{kind: kindMessage, fields: []usual{
	{number: 1, kind: kindMessage, fields: []usual{
		{number: 1, kind: kindVarint, style: styleStreams, base: baseBefore, value: 1_772_323_200_000}, // 2026-03-01
		{number: 2, kind: kindVarint, style: styleStream, base: baseField, on: 1, gain: 3},
		{number: 3, kind: kindBytes, text: "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"},
		{number: 4, kind: kindVarint, value: 4},
	}},

	{number: 20, kind: kindMessage, fields: []usual{
		{number: 1, kind: kindBytes, text: "BAT0"},
		{number: 2, kind: kindVarint, value: 2},
		{number: 3, kind: kindVarint, style: styleStream, value: 80},
		{number: 4, kind: kindVarint, style: styleStream, value: 3_900_000, step: 1000},
		{number: 5, kind: kindVarint, style: styleStream, value: -100_000, step: 1000},
		{number: 6, kind: kindZigzag, style: styleStream, value: 280},
		{number: 7, kind: kindVarint, value: 2_500_000, step: 1000},
		{number: 8, kind: kindVarint, value: 2_600_000, step: 1000},
		{number: 9, kind: kindVarint, seldom: true, step: 1000},
		{number: 10, kind: kindVarint, seldom: true, step: 1000},
		{number: 11, kind: kindVarint, value: 100},
		{number: 12, kind: kindBytes, text: "Good"},
		{number: 13, kind: kindVarint},
	}},

	{number: 21, kind: kindMessage, fields: []usual{
		{number: 1, kind: kindBytes, text: "ttyUSB2"},
		{number: 2, kind: kindVarint, value: 1},
		{number: 3, kind: kindVarint, value: 7},
		{number: 4, kind: kindBytes},
		{number: 5, kind: kindZigzag, style: styleStream, value: -70},
		{number: 6, kind: kindZigzag, style: styleStream, value: -1000, step: 10},
		{number: 7, kind: kindZigzag, style: styleStream, value: -100, step: 10},
		{number: 8, kind: kindZigzag, style: styleStream, value: 100, step: 10},
		{number: 9, kind: kindVarint},
		{number: 10, kind: kindVarint},
		{number: 11, kind: kindZigzag, style: styleStream, value: 400, step: 10},
	}},

	{number: 22, kind: kindMessage, fields: []usual{
		{number: 1, kind: kindVarint, style: styleStream, value: 300},
		{number: 2, kind: kindVarint, style: styleStream, value: 20},
		{number: 3, kind: kindVarint, value: 1 << 30, step: 4096},
		{number: 4, kind: kindVarint, style: styleStream, value: 1 << 29, step: 4096},
		{number: 5, kind: kindVarint, value: 4 << 30, step: 4096},
		{number: 6, kind: kindVarint, style: styleStream, value: 2 << 30, step: 4096},
		{number: 7, kind: kindVarint, style: styleStream},
		{number: 8, kind: kindVarint, style: styleStream},
		{number: 9, kind: kindZigzag, style: styleStream, value: 450},
		{number: 10, kind: kindVarint, style: styleStream, base: baseThousand, on: 2},
		{number: 11, kind: kindVarint, style: styleStream, value: 120},
	}},

	{number: 23, kind: kindMessage, fields: []usual{
		{number: 1, kind: kindBytes, text: "stampd"},
		{number: 2, kind: kindBytes},
		{number: 3, kind: kindVarint, style: styleStream, value: 32 << 20, step: 4096},
		{number: 4, kind: kindVarint, style: styleStream, step: 10},
		{number: 5, kind: kindVarint, style: styleStream, value: 12},
		{number: 6, kind: kindVarint, style: styleStream, value: 20},
		{number: 7, kind: kindVarint, style: styleStream, base: baseThousand, on: 2},
	}},

	{number: 24, kind: kindMessage, seldom: true, fields: []usual{
		{number: 1, kind: kindVarint, value: 1},
		{number: 2, kind: kindBytes},
		{number: 3, kind: kindBytes, seldom: true},
		{number: 4, kind: kindBytes, seldom: true},
	}},
}}
