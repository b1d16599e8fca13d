package main

import "github.com/stampd/stampd/pci"

// memberKey loads the merchant's key, or returns nil: stamps are then refused with the reason, and payments go on.
func (a *agent) memberKey() *pci.RefKey {
	path := a.cfg.Loyalty.MemberKeyFile
	if path == "" {
		return nil
	}
	key, err := pci.LoadKey(path)
	if err != nil {
		a.log.Error().Err(err).Msg("member key can't be used; stamps are refused")
		return nil
	}
	return pci.NewRefKey(key)
}

// formerMemberKeys loads the keys that the merchant had before. Without one of them, the members that it named are strangers
// until they are found under another.
func (a *agent) formerMemberKeys() []*pci.RefKey {
	var keys []*pci.RefKey
	for _, path := range a.cfg.Loyalty.MemberKeyPrevious {
		key, err := pci.LoadKey(path)
		if err != nil {
			a.log.Error().Err(err).Msg("a former member key can't be used; cards made under it are not found")
			continue
		}
		keys = append(keys, pci.NewRefKey(key))
	}
	return keys
}
