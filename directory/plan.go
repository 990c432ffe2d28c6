package directory

import (
	"context"

	"porterhouse"
)

// Plan returns the statements by which the account of who would be made or mended
// if the person came in now; none for an account that is as it should be, or is not
// ours to see to. It runs none of them, and changes nothing here either.
func (d *Directory) Plan(ctx context.Context, who porterhouse.Principal, at porterhouse.Entry) ([]string, error) {
	if who.Issuer == "" || who.Subject == "" {
		return nil, errNobody
	}
	m, err := d.place(who, nil)
	if err != nil {
		return nil, refusal(who, err)
	}
	w, err := d.want(ctx, m, inquiry{who: who, at: at, idle: true})
	if err != nil || w.local || d.provisioner == nil {
		return nil, err
	}
	return d.provisioner.Plan(ctx, w.Wanted)
}
