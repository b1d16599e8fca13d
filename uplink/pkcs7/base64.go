package pkcs7

import (
	"bytes"
	"encoding/base64"
)

// lineWidth is how long the lines of base64 are. OpenSSL reads up to 76 characters, and PEM has 64.
const lineWidth = 64

// Encode writes DER in base64, in lines, as EST carries it in both directions (RFC 7030, sections 4.1.3 and 4.2.1).
func Encode(der []byte) []byte {
	text := base64.StdEncoding.EncodeToString(der)
	var lines bytes.Buffer
	for ; len(text) > lineWidth; text = text[lineWidth:] {
		lines.WriteString(text[:lineWidth] + "\n")
	}
	lines.WriteString(text + "\n")
	return lines.Bytes()
}

// Decode reads what Encode writes, and base64 with other line breaks or none (RFC 8951, section 3.1).
func Decode(text []byte) ([]byte, error) {
	return base64.StdEncoding.AppendDecode(nil, bytes.Join(bytes.Fields(text), nil))
}
