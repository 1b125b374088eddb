package mtasts

import "context"

// Work does what Run does beside the mail, once: it goes through all policies, and looks at those in line.
func (c *Client) Work(ctx context.Context) {
	c.goThrough()
	c.Catch(ctx)
}

// Catch looks at the policies in line.
func (c *Client) Catch(ctx context.Context) {
	for len(c.hurry) > 0 {
		c.look(ctx, <-c.hurry)
	}
}
