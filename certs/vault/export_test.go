package vault

import (
	"context"
	"time"
)

// Look and Pause are the two halves of a round of Run.
func (c *Client) Look(ctx context.Context) { c.look(ctx) }

func (c *Client) Pause() time.Duration { return c.pause() }
