package localapi

import (
	"os"
	"slices"
)

// role is what a user may do. A higher one may do all that a lower one may.
type role int

const (
	roleNone  role = 0 // may do nothing
	rolePOS   role = 1 // may make the POS app's calls
	roleAdmin role = 2 // may make every call
)

// access says which role a user has.
type access struct {
	pos, admins []uint32
}

// newAccess gives root and the agent's own user every call.
func newAccess(pos, admins []uint32) access {
	return access{pos: slices.Clone(pos), admins: append(slices.Clone(admins), 0, uint32(os.Geteuid()))}
}

// of returns the role of a user.
func (a access) of(uid uint32) role {
	switch {
	case slices.Contains(a.admins, uid):
		return roleAdmin
	case slices.Contains(a.pos, uid):
		return rolePOS
	}
	return roleNone
}
