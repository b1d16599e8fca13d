package uplink

import (
	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/uplink/wire"
)

// PackBlock makes one telemetry block of encoded events. It is the packer that the agent gives to its guard.
func PackBlock(events [][]byte) ([]byte, error) {
	return proto.Marshal(&wire.TelemetryBlock{Events: events})
}
