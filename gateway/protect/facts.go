package protect

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/internal/encword"
	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/entity"
)

// facts are what rules look at in a message, besides who writes to whom.
type facts struct {
	listener string
	size     int64
	subject  string
	header   decoded
	types    []string
}

// factsOf reads them; header is what the reader of the message will see of it.
func (p *Protector) factsOf(env mail.Envelope, size int64, header entity.Header, src smime.Source) (facts, error) {
	f := facts{listener: env.Client.Listener, size: size, header: decoded{header}}
	subjects := f.header.Values("Subject")
	for i, s := range subjects { // an encoded word may hold a line end
		subjects[i] = strings.ReplaceAll(s, "\n", " ")
	}
	f.subject = strings.Join(subjects, "\n")
	if !p.o.Policy.WantsTypes() {
		return f, nil
	}
	var err error
	f.types, err = typesOf(src)
	return f, err
}

// tell puts them into what policy decides by.
func (f *facts) tell(in *policy.Input) {
	in.Listener, in.Size, in.Subject, in.Header, in.ContentTypes = f.listener, f.size, f.subject, f.header, f.types
}

// decoded is a header as policy looks at it.
type decoded struct{ entity.Header }

// Values implements policy.Header.
func (d decoded) Values(name string) []string {
	values := d.Header.Values(name)
	for i, v := range values {
		values[i] = encword.Parse(v).String()
	}
	return values
}

// typesOf are the media types of a message and all its parts. One with more parts than anybody can look at is an ErrMessage: a rule for what is in it could be
// got around.
func typesOf(src smime.Source) (types []string, err error) {
	r, err := src.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	root, err := entity.Scan(r, entity.Limits{})
	switch {
	case errors.Is(err, entity.ErrLimit):
		return nil, fmt.Errorf("%w: %w", ErrMessage, err)
	case err != nil:
		return nil, err
	}
	seen := map[string]bool{}
	for part := range root.All {
		if name := part.Type.Type; name != "" && !seen[name] {
			seen[name] = true
			types = append(types, name)
		}
	}
	return types, nil
}

// arrival decides on a message from outside by what shows of it before any layer is opened, for those recipients who are the company's own: nil, where nothing is said of that.
// Where a directory that decides is away, the error wraps certs.ErrUnavailable, and the message stays with its sender.
func (p *Protector) arrival(ctx context.Context, env mail.Envelope, content mail.Content) ([]policy.Decision, error) {
	if !p.o.Policy.WantsArrival() {
		return nil, nil
	}
	in, err := p.arriving(ctx, env, content)
	if err != nil {
		return nil, err
	}
	return p.o.Policy.Decide(in), nil
}

// arriving is what policy decides on mail from outside by before it is opened, for the recipients who are the company's own. With an ErrMessage, of what has more
// parts than are looked at, it is as if there were all in it that rules are for: for what was taken already.
func (p *Protector) arriving(ctx context.Context, env mail.Envelope, content mail.Content) (policy.Input, error) {
	header, _, err := readHeaderWithin(content, incomingHeader)
	if err != nil && !errors.Is(err, ErrMessage) { // which is taken all the same
		return policy.Input{}, err
	}
	in := policy.Input{From: singleFrom(header)}
	f, tooMany := p.factsOf(env, content.Size(), header, during{ctx, content})
	if errors.Is(tooMany, ErrMessage) {
		f.types = p.o.Policy.Types()
	} else if tooMany != nil {
		return policy.Input{}, tooMany
	}
	f.tell(&in)
	for _, r := range env.Recipients {
		if p.o.Local.Match(r.Address) {
			in.Recipients = append(in.Recipients, policy.Recipient{Address: r.Address, Local: true})
		}
	}
	for i, names := range p.o.Policy.AsksTo(in) {
		if len(names) == 0 {
			continue
		}
		if in.Recipients[i].Groups, err = p.o.Groups.In(ctx, in.Recipients[i].Address, names); err != nil {
			return policy.Input{}, err
		}
	}
	return in, tooMany
}

// taken is why a message from outside is not taken, whatever is in it: an error of Admit.
func (p *Protector) taken(ctx context.Context, env mail.Envelope, content mail.Content) error {
	if err := p.noRelay(env); err != nil {
		return err
	}
	decisions, err := p.arrival(ctx, env, content)
	if err != nil {
		return err
	}
	return p.tooLarge(decisions)
}

// tooLarge is a *Refused where the policy has a message from outside smaller; nil, where it has not.
func (p *Protector) tooLarge(decisions []policy.Decision) error {
	refused := &Refused{}
	for _, dec := range decisions {
		if dec.Refusal != nil {
			refused.refuse(p.o.Texts, dec.Recipient, *dec.Refusal)
		}
	}
	if refused.Reasons == nil {
		return nil
	}
	return refused
}
