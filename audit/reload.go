package audit

import "porterhouse"

// ReloadEvent is a new configuration that is about to be put in force, or was not.
type ReloadEvent struct {
	Reason  string   // why it was read, for a reader of the record
	Before  string   // fingerprint of the configuration in force
	After   string   // of the new one; "": it could not be read
	Changed []string // keys that are not the same in both; never values
	Restart []string // those of them that are in the way, as they need a restart
	Failed  bool     // it was not put in force; why is not recorded, as the words may quote the file
}

// Reload writes that a new configuration is about to be put in force, before it is: when
// the error, a *porterhouse.Error of kind Unavailable, is not nil, the one before has to stay.
func (l *Log) Reload(e ReloadEvent) error {
	if err := (event{kindReload, e.write}).record(l); err != nil {
		return &porterhouse.Error{
			Kind:   porterhouse.Unavailable,
			Public: "the audit record cannot be written, so no new configuration is put in force; see to the record, and reload again",
			Err:    err,
		}
	}
	return nil
}

// write adds the event to a line.
func (e *ReloadEvent) write(body *fields) {
	body.text("reason", e.Reason)
	body.text("before", e.Before)
	body.text("after", e.After)
	body.list("changed", e.Changed)
	body.list("restart", e.Restart)
	body.yes("failed", e.Failed)
}
