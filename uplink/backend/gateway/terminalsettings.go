package gateway

import "github.com/stampd/stampd/uplink/wire"

// sendSettings sends a terminal its settings, unless it has them, has refused them, or takes none. The channel is closed
// when there may be others.
func (s *stream) sendSettings() (changed <-chan struct{}, err error) {
	if s.settings == nil || s.has == nil {
		return nil, nil
	}
	changed = s.settings.Changed() // before looking, so that nothing is missed
	e, err := s.settings.Effective(s.id)
	switch {
	case err != nil:
		s.logger.Error().Err(err).Msg("cannot send settings; the terminal's stay in force")
		return changed, nil
	case e.Number < s.has.Version:
		s.logger.Warn().Uint32("version", s.has.Version).Uint32("newest", e.Number).Msg("terminal has settings of a later version than there is")
		return changed, nil
	case e.Number == s.has.Version, e.Number == s.has.Refused:
		return changed, nil
	}
	s.has.Version = e.Number
	s.logger.Info().Uint32("version", e.Number).Msg("settings sent")
	return changed, s.send(&wire.ToTerminal{Message: &wire.ToTerminal_Settings{
		Settings: &wire.Settings{Version: e.Number, Toml: e.TOML},
	}})
}
