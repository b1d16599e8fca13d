package ledger

import (
	"encoding/binary"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/loyalty"
)

// getter reads rows of the keys bucket.
type getter func(key []byte) []byte

func (g getter) Get(_ buffer.Bucket, key []byte) []byte { return g(key) }

// ChangeCard changes what the row of a card says, given how the keys bucket is read.
func ChangeCard(get func(key []byte) []byte, key, row []byte, change func(*loyalty.Row)) []byte {
	r := getter(get)
	_, n, _ := parseCardKey(key)
	card, err := decodeCard(r, n, n.ref(), row)
	if err != nil {
		panic(err)
	}
	change(&card)
	plain := card.AppendNumbered(nil, n.ref(), func(s loyalty.Source) uint64 {
		return uint64(binary.BigEndian.Uint32(r.Get(buffer.Keys, numberKey(s))))
	})
	sealed := make([]byte, 1+nonceSize+len(plain))
	sealed[0] = sealedCard
	n.stream(r.Get(buffer.Keys, n.drawer().row()), sealed[1:1+nonceSize]).XORKeyStream(sealed[1+nonceSize:], plain)
	return sealed
}
