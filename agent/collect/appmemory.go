package collect

const (
	// maxMemories is how many applications are remembered: those that reported last.
	maxMemories = 16
	// maxKeys is how many keys of an application are (ReportAppPerformanceRequest.idempotency_key).
	maxKeys = 64
)

// memories are what is remembered of applications, the one that reported last in front.
type memories []*memory

// memory is what is remembered of an application.
type memory struct {
	app, version string
	keys         []reportKey // the oldest first
}

// reportKey is a key and the report that it was used for.
type reportKey struct {
	key  string
	body [32]byte
}

// of returns what is remembered of an application that reports now. The one that has not reported for longest makes room.
func (all *memories) of(app string) *memory {
	front := &memory{app: app}
	for _, m := range *all {
		if m.app == app {
			front = m
		}
	}
	kept := memories{front}
	for _, m := range *all {
		if m != front && len(kept) < maxMemories {
			kept = append(kept, m)
		}
	}
	*all = kept
	return front
}

// version returns the version that an application reported last, or nothing.
func (all memories) version(app string) string {
	for _, m := range all {
		if m.app == app {
			return m.version
		}
	}
	return ""
}

// recall returns the report that a key was used for.
func (m *memory) recall(key string) (body [32]byte, known bool) {
	for _, k := range m.keys {
		if k.key == key {
			return k.body, true
		}
	}
	return body, false
}

// remember keeps a key that is new.
func (m *memory) remember(key string, body [32]byte) {
	if len(m.keys) == maxKeys {
		m.keys = m.keys[1:]
	}
	m.keys = append(m.keys, reportKey{key, body})
}
