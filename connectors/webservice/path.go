package webservice

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/antchfx/xpath"
)

// Bounds of XPath.
const (
	maxPath  = 1 << 10   // characters of an expression
	maxSteps = 2_000_000 // moves in the tree that one evaluation may make
	maxNodes = 10_000    // nodes that one expression may select
)

// path is a compiled XPath 1.0 expression. It may be used from many goroutines at once.
type path struct {
	text string
	lock sync.Mutex // the library keeps state in an expression while it evaluates it
	expr *xpath.Expr
}

// errWork is an expression that needs too many steps.
var errWork = errors.New("the answer is too large for an XPath of the profile")

// compilePath reads an expression. The library panics on some that are wrong: that is an error here.
func compilePath(text string, namespaces map[string]string) (p *path, err error) {
	defer func() {
		if r := recover(); r != nil {
			p, err = nil, errors.New("this is not an XPath that can be used")
		}
	}()
	if strings.TrimSpace(text) == "" {
		return nil, errors.New("this is empty; give an XPath")
	}
	if len(text) > maxPath {
		return nil, fmt.Errorf("this is longer than %d characters", maxPath)
	}
	if strings.Count(text, "(")+strings.Count(text, "[") > maxDepth {
		return nil, errors.New("this has too many brackets")
	}
	expr, err := xpath.CompileWithNS(text, namespaces)
	if err != nil {
		return nil, fmt.Errorf("this is not an XPath that can be used: %w", err)
	}
	p = &path{text: text, expr: expr}
	// Evaluated once here, since the library finds some faults only then.
	if _, err := p.evaluate(&node{kind: xpath.RootNode}); err != nil {
		return nil, errors.New("this is not an XPath that can be used")
	}
	return p, nil
}

// evaluate gives a string, bool, float64 or []*node.
func (p *path) evaluate(at *node) (result any, err error) {
	p.lock.Lock()
	defer p.lock.Unlock()
	steps := maxSteps
	defer func() {
		switch r := recover(); {
		case r == errWork: //nolint:errorlint // it is the value that the navigator panics with
			result, err = nil, errWork
		case r != nil:
			result, err = nil, fmt.Errorf("the XPath %q cannot be applied to the answer", p.text)
		}
	}()
	switch x := p.expr.Evaluate(&navigator{at: at, steps: &steps}).(type) {
	case *xpath.NodeIterator:
		return collect(x)
	default:
		return x, nil
	}
}

func collect(it *xpath.NodeIterator) ([]*node, error) {
	out := []*node{}
	for it.MoveNext() {
		if len(out) >= maxNodes {
			return nil, errWork
		}
		out = append(out, it.Current().(*navigator).at)
	}
	return out, nil
}

// nodes is what the expression selects; it must be one that selects nodes.
func (p *path) nodes(at *node) ([]*node, error) {
	v, err := p.evaluate(at)
	if err != nil {
		return nil, err
	}
	nodes, ok := v.([]*node)
	if !ok {
		return nil, fmt.Errorf("the XPath %q selects no elements; it gives a value", p.text)
	}
	return nodes, nil
}

// string is the value of the expression: of nodes, that of the first; false is empty, true is "true".
func (p *path) string(at *node) (string, error) {
	v, err := p.evaluate(at)
	if err != nil {
		return "", err
	}
	switch x := v.(type) {
	case []*node:
		if len(x) == 0 {
			return "", nil
		}
		return strings.TrimSpace(x[0].value()), nil
	case bool:
		if !x {
			return "", nil
		}
		return "true", nil
	}
	return strings.TrimSpace(fmt.Sprint(v)), nil
}

// navigator walks a tree for the library. Once its steps are used up it panics with errWork, which evaluate catches: nothing that the library does
// in between may go on.
type navigator struct {
	at    *node
	steps *int
}

func (n *navigator) step(cost int) {
	if *n.steps -= cost; *n.steps < 0 {
		panic(errWork)
	}
}

// NodeType is the kind of the node.
func (n *navigator) NodeType() xpath.NodeType { return n.at.kind }

// LocalName is its name without prefix.
func (n *navigator) LocalName() string { return n.at.local }

// Prefix is empty for what has no namespace, and for nothing else: the library compares it where the expression has no prefix. Other names are compared
// by NamespaceURL, however the answer writes them.
func (n *navigator) Prefix() string {
	if n.at.space != "" && n.at.prefix == "" {
		return "default"
	}
	return n.at.prefix
}

// NamespaceURL is the namespace of the node.
func (n *navigator) NamespaceURL() string { return n.at.space }

// Value is the text of the node and all below it.
func (n *navigator) Value() string {
	s, visited := n.at.measured()
	n.step(1 + len(s)/16 + visited)
	return s
}

// Copy is another navigator at the same node.
func (n *navigator) Copy() xpath.NodeNavigator {
	n.step(1)
	c := *n
	return &c
}

// to moves to a node, where there is one.
func (n *navigator) to(next *node) bool {
	n.step(1)
	if next == nil {
		return false
	}
	n.at = next
	return true
}

// MoveToRoot goes to the root of the document.
func (n *navigator) MoveToRoot() {
	for n.MoveToParent() {
	}
}

// MoveToParent goes one up.
func (n *navigator) MoveToParent() bool { return n.to(n.at.parent) }

// MoveToNextAttribute goes to the first attribute of an element, or from one attribute to the next.
func (n *navigator) MoveToNextAttribute() bool {
	owner, next := n.at, 0
	if n.at.kind == xpath.AttributeNode {
		owner = n.at.parent
		for owner.attributes[next] != n.at {
			next++
		}
		next++
	}
	if next >= len(owner.attributes) {
		return n.to(nil)
	}
	return n.to(owner.attributes[next])
}

// MoveToChild goes to the first child.
func (n *navigator) MoveToChild() bool {
	if len(n.at.children) == 0 {
		return n.to(nil)
	}
	return n.to(n.at.children[0])
}

// sibling goes to a sibling by its place.
func (n *navigator) sibling(index int) bool {
	p := n.at.parent
	if p == nil || n.at.kind == xpath.AttributeNode || index < 0 || index >= len(p.children) {
		return n.to(nil)
	}
	return n.to(p.children[index])
}

// MoveToFirst goes to the first sibling, where the node is not that.
func (n *navigator) MoveToFirst() bool { return n.at.index > 0 && n.sibling(0) }

// MoveToNext goes to the next sibling.
func (n *navigator) MoveToNext() bool { return n.sibling(n.at.index + 1) }

// MoveToPrevious goes to the sibling before.
func (n *navigator) MoveToPrevious() bool { return n.sibling(n.at.index - 1) }

// MoveTo goes where another navigator is.
func (n *navigator) MoveTo(other xpath.NodeNavigator) bool {
	o, ok := other.(*navigator)
	return ok && n.to(o.at)
}
