import HostModel
import KernelInterface

/// Backups share the master's MACs, and a switch that hears one of them sends the master's traffic there. So a device without addresses
/// must say nothing. With IPv4 it does not; with IPv6 the kernel reports its multicast groups (RFC 3810: a router is in ff02::2) as soon as
/// the device is up, and again when keepalived has taken the addresses away, and it does so from the unspecified address.
///
/// With its link-local address a device has no reason to use the unspecified one: nothing is probed for (`accept_dad`, `-nodad`). The
/// planner loads the table of a new namespace before there are devices in it.
enum RouterSilence {
    static let tableName = "neutrino_silence"

    /// Nil for a standalone router. An HA router without IPv6 has it too, for the moment in which it gets some.
    static func table(for router: HostRouter) -> FirewallTable? {
        guard router.redundancy != nil else { return nil }
        var table = FirewallTable(family: .ip6, name: tableName)
        table.chains["output"] = .init(
            hook: "type filter hook output priority filter; policy accept;",
            rules: [ServiceLink.Prefix.routerInterface, .routerGateway].map { "oifname \"\($0.rawValue)*\" ip6 saddr :: drop" })
        return table
    }
}
