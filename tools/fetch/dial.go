package fetch

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"

	"code.dny.dev/ssrf"
)

// Addresses of clouds' own services that are public by their number.
var cloudAddresses = []netip.Prefix{netip.MustParsePrefix("168.63.129.16/32")} // Azure

// control is asked for each connection when it is about to be made.
type control = func(network, address string, c syscall.RawConn) error

// guard refuses connections to addresses that are special or private, and to
// this machine's own and those of its neighbours, whatever their numbers:
// interfaces are asked for each connection, since they come and go.
func (f *Fetcher) guard(interfaces func() ([]net.Addr, error)) control {
	ports := f.options.Ports
	if len(ports) == 0 {
		ports = []uint16{80, 443}
	}
	var v4, v6 []netip.Prefix
	for _, p := range f.options.Allow {
		if p.Addr().Is4() {
			v4 = append(v4, p)
		} else {
			v6 = append(v6, p)
		}
	}
	special := ssrf.New(ssrf.WithPorts(ports...), ssrf.WithAllowedV4Prefixes(v4...), ssrf.WithAllowedV6Prefixes(v6...),
		ssrf.WithDeniedV4Prefixes(cloudAddresses...))
	return func(network, address string, c syscall.RawConn) error {
		if err := special.Safe(network, address, c); err != nil {
			return err
		}
		ap, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		to := ap.Addr().Unmap().WithZone("")
		if slices.ContainsFunc(f.options.Allow, func(p netip.Prefix) bool { return p.Contains(to) }) {
			return nil
		}
		near, err := interfaces()
		if err != nil {
			return fmt.Errorf("this machine's own addresses are not known: %w", err)
		}
		for _, a := range near {
			if prefix, ok := prefixOf(a); ok && prefix.Contains(to) {
				return errPrivate
			}
		}
		return nil
	}
}

// prefixOf is the network that an interface's address stands in. One that is all
// of the address space says nothing but the address.
func prefixOf(a net.Addr) (netip.Prefix, bool) {
	switch a := a.(type) {
	case *net.IPNet:
		ip, ok := netip.AddrFromSlice(a.IP)
		if !ok {
			return netip.Prefix{}, false
		}
		ones, bits := a.Mask.Size()
		ip = ip.Unmap()
		if bits == 128 && ip.Is4() {
			ones -= 96
		}
		if ones <= 0 {
			ones = ip.BitLen()
		}
		return netip.PrefixFrom(ip, ones), true
	case *net.IPAddr:
		ip, ok := netip.AddrFromSlice(a.IP)
		ip = ip.Unmap()
		return netip.PrefixFrom(ip, ip.BitLen()), ok
	}
	return netip.Prefix{}, false
}
