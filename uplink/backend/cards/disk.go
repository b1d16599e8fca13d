package cards

import (
	"encoding/binary"
	"errors"

	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/uplink/identity"
)

// format is the version of the file's layout, kept in it.
const format = "stampd-cards/1"

// The file has these buckets. A merchant's name has no slash, so no two merchants share a key.
//
//	accounts  merchant / ref              when it changed last, and its rows (see account)
//	changed   merchant / position ref     nothing: the accounts in the order in which they changed last
//	marks     merchant / terminal / epoch the last entry of it that is folded
//	links     merchant / account card     nothing: the payment cards that were ever linked to an account
//	lives     merchant                    how often its terminals had to begin anew
//	meta      the keys below
//
// Positions and numbers have 8 bytes, big endian.
var (
	bucketAccounts = []byte("accounts")
	bucketChanged  = []byte("changed")
	bucketMarks    = []byte("marks")
	bucketLinks    = []byte("links")
	bucketLives    = []byte("lives")
	bucketMeta     = []byte("meta")
	metaFormat     = []byte("format")
	metaLog        = []byte("log")
	metaID         = []byte("id")
	metaPosition   = []byte("position")
)

// errAccount says that an account on the disk can't be read.
var errAccount = errors.New("an account can't be read; stop the backend and delete cards.db, which is made again")

func accountKey(merchant string, ref loyalty.Ref) []byte {
	return append([]byte(merchant+"/"), ref[:]...)
}

func changedKey(merchant string, position uint64, ref loyalty.Ref) []byte {
	return append(binary.BigEndian.AppendUint64([]byte(merchant+"/"), position), ref[:]...)
}

func marksPrefix(id identity.ID) []byte { return []byte(id.Merchant + "/" + id.Terminal + "/") }

func linkKey(merchant string, account, card loyalty.Ref) []byte {
	return append(accountKey(merchant, account), card[:]...)
}

// held is the row of an account for one programme, as it is on disk: with all entries open. That of what is about the
// member, and that of a payment card, is of no programme.
type held struct {
	programme string
	row       []byte
}

// appendAccount appends when an account changed last, and its rows.
func appendAccount(b []byte, changed uint64, rows []held) []byte {
	b = binary.AppendUvarint(b, changed)
	for _, r := range rows {
		b = append(binary.AppendUvarint(b, uint64(len(r.programme))), r.programme...)
		b = append(binary.AppendUvarint(b, uint64(len(r.row))), r.row...)
	}
	return b
}

// parseAccount reads what appendAccount wrote. The rows are parts of b.
func parseAccount(b []byte) (changed uint64, rows []held, err error) {
	changed, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, nil, errAccount
	}
	b = b[n:]
	part := func() (p []byte) {
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			err, b = errAccount, nil
			return nil
		}
		p, b = b[n:n+int(size)], b[n+int(size):]
		return p
	}
	for len(b) > 0 {
		name := part()
		rows = append(rows, held{string(name), part()})
	}
	return changed, rows, err
}
