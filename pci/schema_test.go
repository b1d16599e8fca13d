package pci_test

import (
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink/wire"
)

// TestGuardCoversSchema plants a card number in every field of every message that has room for one, exempt or not.
func TestGuardCoversSchema(t *testing.T) {
	const packed = "\x42\x42\x42\x42\x42\x42\x42\x42"
	planted := 0
	for _, message := range schema(t) {
		fields := message.Descriptor().Fields()
		for i := range fields.Len() {
			fd := fields.Get(i)
			var values []protoreflect.Value
			switch fd.Kind() {
			case protoreflect.StringKind:
				for _, s := range []string{
					"4242424242424242", "x 4242 4242 4242 4242", "378282246310005",
					";4242424242424242=17122011252345100000?", "NDI0MjQyNDI0MjQyNDI0Mg==",
				} {
					values = append(values, protoreflect.ValueOfString(s))
				}
			case protoreflect.BytesKind:
				for _, s := range []string{
					"4242424242424242", "4242424242424242" + strings.Repeat("\x00", 16), "4242424242424242" + strings.Repeat(" ", 16),
					"4242424242424242" + strings.Repeat("\xFF", 16), packed, packed + strings.Repeat("\xFF", 8), packed + strings.Repeat("\xFF", 24),
					"\x5A\x08" + packed + strings.Repeat("\x00", 6), "\x5A\x08" + packed + strings.Repeat("\x00", 22),
				} {
					values = append(values, protoreflect.ValueOfBytes([]byte(s)))
				}
			case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
				values = append(values, protoreflect.ValueOfInt64(4242424242424242), protoreflect.ValueOfInt64(-378282246310005))
			case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
				values = append(values, protoreflect.ValueOfUint64(4242424242424242), protoreflect.ValueOfUint64(6205500000000000004))
			}
			for _, v := range values {
				planted++
				m, name := message.New(), string(fd.Name())
				if fd.IsList() {
					m.Mutable(fd).List().Append(v)
					name += "[0]"
				} else {
					m.Set(fd, v)
				}
				guard := pci.NewGuard(nil)
				_, err := guard.Check(m.Interface())
				var bad *pci.Violation
				if !errors.As(err, &bad) || bad.Field != name {
					t.Errorf("%s with %v: got %v, want a violation in %s", fd.FullName(), v, err, name)
					continue
				}
				if strings.Contains(err.Error(), "4242") || guard.Refused() != 1 {
					t.Errorf("%s: error %q, refused %d", fd.FullName(), err, guard.Refused())
				}
			}
		}
	}
	if planted < 200 {
		t.Errorf("planted %d numbers: the schema was not found", planted)
	}
}

// TestExemptionsAreNeeded: each exempt field exists, and has a value that would be refused in any other field.
func TestExemptionsAreNeeded(t *testing.T) {
	const chance = "\x51\x05\x10\x51\x05\x10\x51\x00"
	const sketch = "\x01\x10\x04\x02\x04\x02\x04\x02\x04\x02\x04\x02\x04\x02\x04\x02\x04\x02" // eight counts of 2, each 4 buckets on
	samples := map[string]struct {
		exempt, other proto.Message
	}{
		"stampd.v1.Clock.boot_id": {
			&wire.Clock{BootId: []byte("\xFE\x9A\x0B" + chance + "\xAD\x01\x02\x03\x04")},
			&wire.Hello{BootId: []byte("\xFE\x9A\x0B" + chance + "\xAD\x01\x02\x03\x04")},
		},
		"stampd.v1.Stamp.account_ref": {
			&wire.Stamp{AccountRef: []byte("\xFE\x9A\x0B" + chance + "\xADabcdefghijklmnopqrst")},
			&wire.Hello{BootId: []byte("\xFE\x9A\x0B" + chance + "\xADabcdefghijklmnopqrst")},
		},
		"stampd.v1.Stamp.card_ref": {
			&wire.Stamp{CardRef: []byte("\xFE\x9A\x0B" + chance + "\xADabcdefghijklmnopqrst")},
			&wire.Hello{BootId: []byte("\xFE\x9A\x0B" + chance + "\xADabcdefghijklmnopqrst")},
		},
		"stampd.v1.Stamp.other_account_ref": {
			&wire.Stamp{OtherAccountRef: []byte("\xFE\x9A\x0B" + chance + "\xADabcdefghijklmnopqrst")},
			&wire.Hello{BootId: []byte("\xFE\x9A\x0B" + chance + "\xADabcdefghijklmnopqrst")},
		},
		"stampd.v1.Stamp.lease_id": {
			&wire.Stamp{LeaseId: []byte("\xFE\x9A\x0B" + chance + "\xAD\x01\x02\x03\x04")},
			&wire.Hello{BootId: []byte("\xFE\x9A\x0B" + chance + "\xAD\x01\x02\x03\x04")},
		},
		"stampd.v1.EntryRef.epoch": {
			&wire.EntryRef{Epoch: []byte("\xFE\x9A\x0B" + chance + "\xAD\x01\x02\x03\x04")},
			&wire.Hello{BootId: []byte("\xFE\x9A\x0B" + chance + "\xAD\x01\x02\x03\x04")},
		},
		"stampd.v1.Consent.text_sha256": {
			&wire.Consent{TextSha256: []byte("\xFE\x9A\x0B" + chance + "\xADabcdefghijklmnopqrst")},
			&wire.Hello{BootId: []byte("\xFE\x9A\x0B" + chance + "\xADabcdefghijklmnopqrst")},
		},
		"stampd.v1.Modem.iccid": {
			&wire.Modem{Iccid: "89860F36227206271667"},
			&wire.Modem{Imei: "89860F36227206271667"},
		},
		"stampd.v1.AppOperation.sketch": {
			&wire.AppOperation{Sketch: []byte(sketch)},
			&wire.Hello{BootId: []byte(sketch)},
		},
		"stampd.v1.OperationReport.sketch": {
			&wire.OperationReport{Sketch: []byte(sketch)},
			&wire.Hello{BootId: []byte(sketch)},
		},
		"stampd.v1.OperationReport.durations_us": {
			&wire.OperationReport{DurationsUs: []uint32{4242, 4242, 4242, 4242}},
			&wire.OperationReport{Name: "4242 4242 4242 4242"},
		},
		"stampd.v1.AwardStampsRequest.phone": {
			&wire.AwardStampsRequest{Phone: "+62821234567893"},
			&wire.Payment{OrderRef: "+62821234567893"},
		},
		"stampd.v1.Member.phone": {
			&wire.Member{Phone: "+62821234567893"},
			&wire.Payment{OrderRef: "+62821234567893"},
		},
		"stampd.v1.EnrolMemberRequest.phone": {
			&wire.EnrolMemberRequest{Phone: "+62821234567893"},
			&wire.Payment{OrderRef: "+62821234567893"},
		},
		"stampd.v1.LinkCardRequest.phone": {
			&wire.LinkCardRequest{Phone: "+62821234567893"},
			&wire.Payment{OrderRef: "+62821234567893"},
		},
		"stampd.v1.GetCardRequest.phone": {
			&wire.GetCardRequest{Phone: "+62821234567893"},
			&wire.Payment{OrderRef: "+62821234567893"},
		},
	}
	for _, name := range pci.ExemptFields() {
		if _, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name)); err != nil {
			t.Errorf("%s: not in the schema", name)
		}
		sample, ok := samples[name]
		if !ok {
			t.Errorf("%s: no value shows that the exemption is needed", name)
			continue
		}
		guard := pci.NewGuard(nil)
		if err := guard.Inspect(sample.exempt); err != nil {
			t.Errorf("%s: refused a value of its shape: %v", name, err)
		}
		if err := guard.Inspect(sample.other); err == nil {
			t.Errorf("%s: the value is accepted elsewhere too, so it shows nothing", name)
		}
	}
}

// TestExemptionsAreNarrow: a value that is not of an exempt field's shape is judged like any other.
func TestExemptionsAreNarrow(t *testing.T) {
	const packed = "\x51\x05\x10\x51\x05\x10\x51\x00"
	for name, m := range map[string]proto.Message{
		"boot_id too long":             &wire.Clock{BootId: []byte("\xFE\x9A\x0B" + packed + "\xAD\x01\x02\x03\x04\x05")},
		"boot_id too short":            &wire.Clock{BootId: []byte("\xFE\x9A\x0B" + packed + "\xAD\x01\x02\x03")},
		"boot_id padded before":        &wire.Clock{BootId: []byte(strings.Repeat("\xFF", 8) + packed)},
		"boot_id of 7-bit bytes":       &wire.Clock{BootId: []byte("\x5A\x08" + packed + "abcdef")},
		"account_ref padded around":    &wire.Stamp{AccountRef: []byte(strings.Repeat("\xFF", 12) + packed + strings.Repeat("\xFF", 12))},
		"account_ref as text":          &wire.Stamp{AccountRef: []byte("card number 4242-4242-4242-4242!")},
		"iccid of another industry":    &wire.Modem{Iccid: "42860F36227206271667"},
		"iccid with letters elsewhere": &wire.Modem{Iccid: "89AB4242424242424242"},
		"iccid too short":              &wire.Modem{Iccid: "8986F36227206271667"},
		"sketch of another sum":        &wire.AppOperation{Sketch: []byte("\x01\x7F" + strings.Repeat("\x42", 8))},
		"sketch of another form":       &wire.AppOperation{Sketch: []byte("\x02\x10" + strings.Repeat("\x04\x02", 8))},
		"sketch beyond the last":       &wire.AppOperation{Sketch: []byte("\x01\x10" + strings.Repeat("\x04\x02", 8) + "\x80\x08\x00")},
		"sketch cut short":             &wire.OperationReport{Sketch: []byte("\x01\x10" + strings.Repeat("\x04\x02", 8) + "\x84")},
		"sketch as text":               &wire.OperationReport{Sketch: []byte("\x014242424242424242")},
		"phone without plus":           &wire.GetCardRequest{Phone: "62821234567893"},
		"phone with a letter":          &wire.GetCardRequest{Phone: "+62 82123456789x 62821234567893"},
		"phone of two numbers":         &wire.GetCardRequest{Phone: "+62 821-2345-6789-3 62821234567893"},
		"emv with a track":             &wire.Payment{Emv: []byte("\x57\x0A\x42\x42\x42\x42\x42\x42\x42\x42\xD2\x51")},
		"emv with a card number":       &wire.Payment{Emv: []byte("\x9F\x37\x04\x01\x02\x03\x04\xDF\x01\x08\x42\x42\x42\x42\x42\x42\x42\x42")},
		"emv with digits as text":      &wire.Payment{Emv: []byte("\x50\x104242424242424242")},
		"emv that is none":             &wire.Payment{Emv: []byte("\x9F\x26\x09\x12\x34\x56\x78\x90\x16\xAB\xCD")},
		"phone of 16 digits":           &wire.AwardStampsRequest{Phone: "+4242424242424242"},
	} {
		if err := pci.NewGuard(nil).Inspect(m); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// schema returns every message of stampd.v1.
func schema(t *testing.T) []protoreflect.MessageType {
	t.Helper()
	pkg := (&wire.Event{}).ProtoReflect().Descriptor().ParentFile().Package()
	var types []protoreflect.MessageType
	protoregistry.GlobalTypes.RangeMessages(func(mt protoreflect.MessageType) bool {
		if mt.Descriptor().ParentFile().Package() == pkg {
			types = append(types, mt)
		}
		return true
	})
	return types
}
