package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/certs/folder"
	"github.com/siegel-mail/siegel/certs/vault"
	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/gateway/cards"
	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/protect"
	"github.com/siegel-mail/siegel/gateway/smtpin"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/secret"
)

// loadConfig reads a configuration and logs what somebody should look at. The error has a line for each
// thing that keeps it from being used.
func loadConfig(file string, warn func(string)) (*configs.Config, error) {
	c, problems := configs.Load(file, configs.Options{})
	for _, p := range problems.Warnings() {
		warn(p.String())
	}
	if err := problems.Err(); err != nil {
		return nil, fmt.Errorf("the configuration cannot be used:\n%w", err)
	}
	return c, nil
}

// newLog makes the log that a configuration asks for.
func newLog(c configs.Log, w io.Writer) (*logrus.Logger, error) {
	log := logrus.New()
	log.SetOutput(w)
	level, err := logrus.ParseLevel(c.Level)
	if err != nil {
		return nil, err
	}
	log.SetLevel(level)
	if c.Format == "json" {
		log.SetFormatter(&logrus.JSONFormatter{})
	} else {
		log.SetFormatter(&logrus.TextFormatter{DisableColors: true, FullTimestamp: true})
	}
	return log, nil
}

// options turns a configuration into those of a gateway, with the keys that lie in vaults and on cards.
func options(c *configs.Config, log logrus.FieldLogger, vaults *vault.Set, keys *cards.Set, held *demails) (gateway.Options, error) {
	key, err := atrest.ParseKey(c.AtRest.Key.Reveal())
	if err != nil {
		return gateway.Options{}, fmt.Errorf("at_rest.key: %w", err)
	}
	s, err := settings(c, log, vaults, keys, held)
	if err != nil {
		return gateway.Options{}, err
	}
	return gateway.Options{
		Hostname: c.Hostname, State: string(c.State), Key: key, Socket: string(c.Admin.Socket),
		HTTP: c.Admin.HTTP, Publish: c.Certificates.Issue.Listen, PolicyAddress: c.TLS.Publish.Listen, Outlook: c.Outlook.Listen, Log: log, Version: version,
		Pickup: pickupOptions(c.Pickup), Record: record(c.Record), Settings: s,
	}, nil
}

// settings turns a configuration into what a reload may change, and reads the certificates anew.
func settings(c *configs.Config, log logrus.FieldLogger, vaults *vault.Set, keys *cards.Set, held *demails) (gateway.Settings, error) {
	certificates, err := loadCertificates(c.Certificates, c.SMIME.SoftwareBrainpool, log)
	if err != nil {
		return gateway.Settings{}, err
	}
	rules, err := policy.New(c.Policy.Set())
	if err != nil {
		return gateway.Settings{}, fmt.Errorf("policy: %w", err)
	}
	s := gateway.Settings{
		Local: c.Domains, Policy: rules,
		Vocabulary: c.Policy.Vocabulary(),
		Marks:      marks(c),
		Privacy:    privacyRules(c),
		SMIME:      protect.SMIME{Legacy: c.SMIME.LegacyDecryption, SoftwareBrainpool: c.SMIME.SoftwareBrainpool},
		Issue:      issue(c, vaults), WarnBefore: c.Certificates.WarnBefore, Folder: certificates,
		Certs: certificates, Validator: certificates.Validator(), Within: within(certificates, c.Certificates.Validation.Inputs(), c.SMIME.SoftwareBrainpool, keySources(vaults, keys)),
		Retry: delivery.Retry{Steps: c.Queue.Retry, Jitter: retryJitter}, Expire: c.Queue.Expire, ProtectWithin: c.Queue.ProtectWithin,
		DelayAfter: c.Queue.DelayNotice, Self: c.DNS.Self,
	}
	if s.Texts, err = texts.New(c.Texts.Options()); err != nil {
		return gateway.Settings{}, err
	}
	s.DKIM = signers(c)
	s.Archives = archives(c)
	s.TLSReport = tlsReport(c)
	if err := useOwnPolicy(&s, c, log); err != nil {
		return gateway.Settings{}, err
	}
	if err := usePagesTLS(&s, c, log); err != nil {
		return gateway.Settings{}, err
	}
	if s.DeMailStamp, err = demailStamp(c.DeMail.Evidence.Timestamp); err != nil {
		return gateway.Settings{}, fmt.Errorf("demail.evidence.timestamp: %w", err)
	}
	s.Find = finding(c)
	s.Ask, s.Harvest = asking(c.Certificates.Find.Ask), harvesting(c.Certificates.Find.Harvest)
	if s.DNS, err = resolver(c.DNS); err != nil {
		return gateway.Settings{}, fmt.Errorf("dns: %w", err)
	}
	s.Revocation = revocationSettings(c, s.DNS)
	if s.Origin, err = originOptions(c, s.DNS); err != nil {
		return gateway.Settings{}, err
	}
	all, err := useDirectories(&s, c, log)
	if err != nil {
		return gateway.Settings{}, err
	}
	if err := useDeMail(&s, c, all, keyholders{keys, vaults}, held, log); err != nil {
		return gateway.Settings{}, err
	}
	if err := useOutlook(&s, c, all, log); err != nil {
		return gateway.Settings{}, err
	}
	s.Quarantine = quarantining(c.Quarantine)
	if s.Throttle, s.MailTo, err = throttling(c); err != nil {
		return gateway.Settings{}, err
	}
	if err := useHosts(&s, c, keys, log); err != nil {
		return gateway.Settings{}, err
	}
	withCards(&s, keys)
	return s, useHops(&s, c, log)
}

// marks are what is put before the subject of incoming mail.
func marks(c *configs.Config) protect.Marks {
	return protect.Marks{
		Encrypted: c.Policy.MarkSubject.Encrypted, Valid: c.Policy.MarkSubject.Signed, Invalid: c.Policy.MarkSubject.Invalid,
		Unsigned: c.Policy.MarkSubject.Unsigned, Unopened: c.Policy.MarkSubject.Unopened,
		Doubtful: c.Policy.MarkSubject.Doubtful, DeMail: c.DeMail.Incoming.MarkSubject.Verified, DeMailIntact: c.DeMail.Incoming.MarkSubject.Intact, DeMailUnverified: c.DeMail.Incoming.MarkSubject.Unverified,
	}
}

// useHosts sets who may connect, and where mail goes.
func useHosts(s *gateway.Settings, c *configs.Config, keys *cards.Set, log logrus.FieldLogger) error {
	for _, l := range c.Listeners {
		listener, err := listener(l)
		if err == nil {
			err = useTLS(s, &listener, l, log)
		}
		if err != nil {
			return fmt.Errorf("listener %s: %w", l.Name, err)
		}
		s.Listeners = append(s.Listeners, listener)
	}
	for _, r := range c.Routes {
		s.Routes = append(s.Routes, route(r))
		showCard(&s.Routes[len(s.Routes)-1].SMTP, r.TLS, keys)
	}
	for _, b := range c.Backup {
		s.Backup = append(s.Backup, keeping(b))
		showCard(&s.Backup[len(s.Backup)-1].SMTP, b.TLS, keys)
	}
	return nil
}

func listener(l configs.Listener) (smtpin.Listener, error) {
	out := smtpin.Listener{
		Name: l.Name, Address: l.Address, Role: smtpin.Role(l.Role), Networks: l.Networks, Senders: l.Senders,
		Tenant:   l.ExchangeOnline.ID(),
		Implicit: l.TLS.Mode == configs.TLSImplicit, RequireTLS: l.TLS.Required,
		MaxSize: int64(l.MaxSize), MaxRecipients: l.MaxRecipients,
		Limits: limits(l.Limits), Normalise: l.Normalise,
	}
	if len(l.TLS.ClientNames) > 0 {
		out.Clients = &smtpin.Certificates{Roots: l.TLS.ClientRoots(), Names: l.TLS.ClientNames}
	}
	if len(l.Users) == 0 {
		return out, nil
	}
	users := make([]gateway.User, 0, len(l.Users))
	for _, u := range l.Users {
		users = append(users, gateway.User{Name: u.Name, Hash: u.Hash, MayUse: u.MayUse})
	}
	auth, err := gateway.NewUsers(users)
	out.Auth = auth
	return out, err
}

// loadCertificates reads the folder and logs what is wrong with its files; no folder is an empty one.
func loadCertificates(c configs.Certificates, brainpool bool, log logrus.FieldLogger) (*folder.Folder, error) {
	passwords, err := readPasswords(string(c.PasswordsFile))
	if err != nil {
		return nil, err
	}
	f, report, err := folder.Load(string(c.Folder), folder.Options{Passwords: passwords, TrustDir: string(c.Trust), SoftwareBrainpool: brainpool, Policies: c.Validation.Inputs()})
	if err != nil {
		return nil, fmt.Errorf("certificates.folder: %w", err)
	}
	for _, file := range report {
		for _, finding := range file.Findings {
			entry := log.WithField("file", file.Path)
			if finding.Problem {
				entry.Warn(finding.Text)
			} else {
				entry.Info(finding.Text)
			}
		}
	}
	return f, nil
}

// readPasswords reads one password a line.
func readPasswords(file string) ([]secret.String, error) {
	if file == "" {
		return nil, nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("certificates.passwords_file: %w", err)
	}
	var out []secret.String
	for line := range strings.Lines(string(content)) {
		if line = strings.TrimRight(line, "\r\n"); line != "" {
			out = append(out, secret.New(line))
		}
	}
	return out, nil
}
