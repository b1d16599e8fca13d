package ledger

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/loyalty"
)

// opDrawer is the rows of the drawers' keys. The value reaches the disk.
const opDrawer operation = 'D'

// drawer is a part of all cards that has a key of its own: those whose names begin with the same 12 bits. Each card in it is
// sealed with a key made from the drawer's. To forget one, the others are sealed anew under another key, and what is left of
// the card in old pages can't be read without the old one.
type drawer uint16

const drawerKeySize = 32

func (n cardName) drawer() drawer { return drawer(binary.BigEndian.Uint16(n[:]) >> 4) }

func (d drawer) row() []byte { return binary.BigEndian.AppendUint16([]byte{byte(opDrawer)}, uint16(d)) }

// sealedCard is the first byte of a card's row. The value reaches the disk.
const sealedCard = 2

// nonceSize is how many random bytes tell two seals of one card apart.
const nonceSize = 8

// unseal returns what a card's row says.
func unseal(r rows, n cardName, row []byte) ([]byte, bool) {
	key := r.Get(buffer.Keys, n.drawer().row())
	if len(key) != drawerKeySize || len(row) < 1+nonceSize || row[0] != sealedCard {
		return nil, false
	}
	plain := make([]byte, len(row)-1-nonceSize)
	n.stream(key, row[1:1+nonceSize]).XORKeyStream(plain, row[1+nonceSize:])
	return plain, true
}

// seal returns the row of a card. A drawer that has no key gets one.
func seal(tx *buffer.Tx, n cardName, plain []byte) []byte {
	key := tx.Get(buffer.Keys, n.drawer().row())
	if len(key) != drawerKeySize {
		key = newDrawerKey(tx, n.drawer())
	}
	row := make([]byte, 1+nonceSize+len(plain))
	row[0] = sealedCard
	_, _ = rand.Read(row[1 : 1+nonceSize]) // never fails
	n.stream(key, row[1:1+nonceSize]).XORKeyStream(row[1+nonceSize:], plain)
	return row
}

func newDrawerKey(tx *buffer.Tx, d drawer) []byte {
	key := make([]byte, drawerKeySize)
	_, _ = rand.Read(key) // never fails
	tx.Put(buffer.Keys, d.row(), key)
	return key
}

// stream returns the key stream of a card: AES-256 in counter mode, which hides and does not vouch. What a row says is checked
// when it is decoded, as far as it can be.
func (n cardName) stream(drawerKey, nonce []byte) cipher.Stream {
	mac := hmac.New(sha256.New, drawerKey)
	mac.Write([]byte("stampd/card/v1\x00"))
	mac.Write(n[:])
	block, err := aes.NewCipher(mac.Sum(nil))
	if err != nil {
		panic(err) // it takes 32 bytes
	}
	iv := make([]byte, aes.BlockSize)
	copy(iv, nonce)
	return cipher.NewCTR(block, iv)
}

// shred gives the drawers of accounts new keys, and seals what stays in them anew.
func (b *book) shred(gone map[loyalty.Ref]bool) error {
	drawers := map[drawer]bool{}
	for ref := range gone {
		drawers[nameOf(ref).drawer()] = true
	}
	for d := range drawers {
		if err := b.turn(d); err != nil {
			return err
		}
	}
	if len(drawers) > 0 {
		b.tx.WriteAnew()
	}
	return nil
}

// turn gives a drawer a new key.
func (b *book) turn(d drawer) error {
	prefix := append(append([]byte(b.ID), 0), byte(d>>4)) // the first 8 of its 12 bits
	type card struct {
		key, plain []byte
		name       cardName
	}
	var cards []card
	err := b.tx.Scan(buffer.Cards, prefix, func(key, row []byte) error {
		_, n, ok := parseCardKey(key)
		if !ok || n.drawer() != d || len(row) == sumRowSize {
			return nil
		}
		if plain, ok := unseal(b.tx, n, row); ok {
			cards = append(cards, card{key, plain, n})
		}
		return nil
	})
	if err != nil {
		return err
	}
	newDrawerKey(b.tx, d)
	for _, c := range cards {
		b.tx.Put(buffer.Cards, c.key, seal(b.tx, c.name, c.plain))
	}
	return nil
}
