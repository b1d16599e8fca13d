package pci_test

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink/wire"
)

func TestCheckAcceptsTypicalEvents(t *testing.T) {
	guard := pci.NewGuard(nil)
	for name, event := range map[string]*wire.Event{
		"payment": examplePayment(), "stamp": exampleStamp(), "battery": exampleBattery(), "empty": {},
	} {
		clean, err := guard.Check(event)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var back wire.Event
		if err := proto.Unmarshal(clean.Bytes(), &back); err != nil || !proto.Equal(&back, event) {
			t.Errorf("%s: the bytes are not the event (%v)", name, err)
		}
		if clean.Bytes() == nil {
			t.Errorf("%s: nil bytes", name)
		}
	}
	if n := guard.Refused(); n != 0 {
		t.Errorf("refused %d", n)
	}
}

func TestCheckIsDeterministic(t *testing.T) {
	fields := map[string]any{}
	for name := range strings.FieldsSeq("a b c d e f g h i j k l m n o p q r s t u v w x y z") {
		fields[name] = name
	}
	m, err := structpb.NewStruct(fields)
	if err != nil {
		t.Fatal(err)
	}
	guard := pci.NewGuard(nil)
	first, err := guard.Check(m)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if again, err := guard.Check(m); err != nil || !bytes.Equal(again.Bytes(), first.Bytes()) {
			t.Fatalf("other bytes for the same message (%v)", err)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	const number = "4242424242424242"
	withUnknown := func(m proto.Message) proto.Message {
		m.ProtoReflect().SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, 5000, protowire.VarintType), 1))
		return m
	}
	event := func(p *wire.Payment) *wire.Event { return &wire.Event{Body: &wire.Event_Payment{Payment: p}} }
	anything, err := anypb.New(wrapperspb.Int64(4242424242424242))
	if err != nil {
		t.Fatal(err)
	}
	deep := structpb.NewStringValue("x")
	for range 40 {
		deep = structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{deep}})
	}
	for _, test := range []struct {
		name        string
		m           proto.Message
		field, kind string
	}{
		{"nested field", event(&wire.Payment{Card: &wire.PaymentCard{Token: number}}), "payment.card.token", pci.KindPAN},
		{"track", event(&wire.Payment{OrderRef: ";" + number + "=2512"}), "payment.order_ref", pci.KindTrack2},
		{"code", event(&wire.Payment{OrderRef: "cvv=123"}), "payment.order_ref", pci.KindCVV},
		{"13 digits in a field for a card", event(&wire.Payment{Card: &wire.PaymentCard{Token: "4222222222222"}}), "payment.card.token", pci.KindPAN},
		{"bare Maestro in a field for a card", event(&wire.Payment{Card: &wire.PaymentCard{Token: "5600000000000003"}}), "payment.card.token", pci.KindPAN},
		{"integer", &wire.Battery{VoltageUv: proto.Int64(4242424242424242)}, "voltage_uv", pci.KindPAN},
		{"negative integer", &wire.Battery{CurrentUa: proto.Int64(-4242424242424242)}, "current_ua", pci.KindPAN},
		{"time", &wire.Clock{WallUnixMs: proto.Int64(4242424242424242)}, "wall_unix_ms", pci.KindPAN},
		{"double", structpb.NewNumberValue(4242424242424242), "number_value", pci.KindPAN},
		{"map key", &structpb.Struct{Fields: map[string]*structpb.Value{number: nil}}, "fields[key]", pci.KindPAN},
		{"map value", &structpb.Struct{Fields: map[string]*structpb.Value{"x": structpb.NewStringValue(number)}}, "fields[value].string_value", pci.KindPAN},
		{"element", &descriptorpb.FileDescriptorProto{Dependency: []string{"x", number}}, "dependency[1]", pci.KindPAN},
		{"element of messages", &wire.TelemetryBlock{Events: [][]byte{nil, []byte(number)}}, "events[1]", pci.KindPAN},
		{"split over strings", &descriptorpb.FileDescriptorProto{Dependency: []string{"7", "4242", "4242", "4242", "4242"}}, "dependency", pci.KindPAN},
		{"split over integers", &descriptorpb.FileDescriptorProto{PublicDependency: []int32{7, 4242, 4242, 4242, 4242, 7}}, "public_dependency", pci.KindPAN},
		{"split over bytes", &wire.TelemetryBlock{Events: [][]byte{[]byte("42424242"), []byte("42424242")}}, "events", pci.KindPAN},
		{"unknown field", withUnknown(event(nil)), "", pci.KindUnknownFields},
		{"unknown field, nested", event(withUnknown(&wire.Payment{}).(*wire.Payment)), "payment", pci.KindUnknownFields},
		{"any message", anything, "", pci.KindUncheckable},
		{"too deep", deep, "", pci.KindUncheckable},
		{"not UTF-8", &wire.Payment{OrderRef: "\xff\xfe" + "secret"}, "", pci.KindUncheckable},
		{"nil", nil, "", pci.KindUncheckable},
		{"nil pointer", (*wire.Event)(nil), "", pci.KindUncheckable},
		{"gzip", &wire.TelemetryBlock{Events: [][]byte{{0x1F, 0x8B, 8, 0}}}, "events[0]", pci.KindUncheckable},
	} {
		t.Run(test.name, func(t *testing.T) {
			guard := pci.NewGuard(nil)
			clean, err := guard.Check(test.m)
			var bad *pci.Violation
			if !errors.As(err, &bad) {
				t.Fatalf("got %v, want a violation", err)
			}
			if test.name == "too deep" {
				bad.Field = ""
			}
			if bad.Field != test.field || bad.Kind != test.kind {
				t.Errorf("got %q in %q, want %q in %q", bad.Kind, bad.Field, test.kind, test.field)
			}
			if s := err.Error(); strings.Contains(s, "42") || strings.Contains(s, "secret") {
				t.Errorf("the error holds the value: %s", s)
			}
			if clean.Bytes() != nil || guard.Refused() != 1 {
				t.Errorf("got bytes %v, refused %d", clean.Bytes(), guard.Refused())
			}
		})
	}
}

func TestCheckAcceptsNumbersThatAreNoCards(t *testing.T) {
	for name, m := range map[string]proto.Message{
		"13 digits in free text":     &wire.Payment{OrderRef: "4222222222222"},
		"largest amount":             &wire.Payment{AmountMinor: 1_000_000_000_000},
		"smallest integer":           &wire.Battery{CurrentUa: proto.Int64(math.MinInt64)},
		"largest integer":            &wire.Host{MemoryTotalBytes: proto.Uint64(math.MaxUint64)},
		"a phone of 14 digits":       &wire.GetCardRequest{Phone: "+62821234567893"},
		"the same, as it is typed":   &wire.GetCardRequest{Phone: "+62 (821) 2345-6789-3"},
		"emv whose digits look like": &wire.Payment{Emv: []byte("\x9F\x26\x08\x12\x34\x56\x78\x90\x17\xAB\xCD\x9C\x01\x00")},
		"infinity":                   structpb.NewNumberValue(math.Inf(1)),
		"no number":                  structpb.NewNumberValue(math.NaN()),
		"many small integers":        &descriptorpb.FileDescriptorProto{PublicDependency: []int32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}},
		"boot id that looks like":    &wire.Clock{BootId: []byte("\xFE\x9A\x0B\x51\x05\x10\x51\x05\x10\x51\x00\xAD\x01\x02\x03\x04")},
	} {
		if err := pci.NewGuard(nil).Inspect(m); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPack(t *testing.T) {
	guard := pci.NewGuard(packBlock)
	var events []pci.Clean
	want := &wire.TelemetryBlock{}
	for range 3 {
		// The boot id may look like a card number by chance; in a block it has no field that says so.
		event := exampleBattery()
		event.Clock.BootId = []byte("\xFE\x9A\x0B\x51\x05\x10\x51\x05\x10\x51\x00\xAD\x01\x02\x03\x04")
		clean, err := guard.Check(event)
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, clean)
		want.Events = append(want.Events, clean.Bytes())
	}
	block, err := guard.Pack(events)
	if err != nil {
		t.Fatal(err)
	}
	var got wire.TelemetryBlock
	if err := proto.Unmarshal(block.Bytes(), &got); err != nil || !proto.Equal(&got, want) {
		t.Errorf("the block is not the events (%v)", err)
	}

	if _, err := guard.Pack([]pci.Clean{events[0], {}}); err == nil {
		t.Error("packed an event that was not checked")
	}
	if _, err := pci.NewGuard(nil).Pack(events); err == nil {
		t.Error("packed without a packer")
	}
	broken := errors.New("broken")
	failing := pci.NewGuard(func([][]byte) ([]byte, error) { return nil, broken })
	if _, err := failing.Pack(events); !errors.Is(err, broken) {
		t.Errorf("got %v, want the packer's error", err)
	}
	if n := guard.Refused(); n != 0 {
		t.Errorf("refused %d", n)
	}
}

func TestGuardIsSafeForConcurrentUse(t *testing.T) {
	guard := pci.NewGuard(packBlock)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 100 {
				clean, err := guard.Check(examplePayment())
				if err != nil {
					t.Error(err)
				}
				if _, err := guard.Pack([]pci.Clean{clean}); err != nil {
					t.Error(err)
				}
				if guard.Inspect(&wire.GetCardRequest{Phone: "4242424242424242"}) == nil {
					t.Error("accepted a card number")
				}
			}
		})
	}
	group.Wait()
	if n := guard.Refused(); n != 800 {
		t.Errorf("refused %d, want 800", n)
	}
}

func packBlock(events [][]byte) ([]byte, error) {
	return proto.Marshal(&wire.TelemetryBlock{Events: events})
}
