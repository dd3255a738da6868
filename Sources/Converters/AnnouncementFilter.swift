import HostModel
import KernelInterface

/// Nobody asks for 169.254.0.VRID, the address that only marks a group's master: its gratuitous ARP goes no further than the bridge.
///
/// keepalived announces every virtual address, and a network's bridge floods each announcement to all of its ports. All routers of a project
/// share one HA network: when the host of 200 masters dies, 200 announcements would go to 400 ports each, at the moment in which the host has the most to do.
enum AnnouncementFilter {
    static let tableName = "neutrino_announcements"
    private static let devices = "ha_devices"

    /// Nil on a host without HA routers.
    static func table(for view: HostView) -> FirewallTable? {
        let outer = view.routers.values.compactMap { $0.redundancy.map { ServiceLink.outerName($0.port.id) } }
        guard !outer.isEmpty else { return nil }
        var table = FirewallTable(family: .bridge, name: tableName)
        table.sets[devices] = .init(type: "type ifname", elements: Set(outer.map { "\"\($0)\"" }))
        table.chains["announcements"] = .init(
            // Before everything else; the name of the bridge would do, but not every kernel knows it (NFT_BRIDGE_META).
            hook: "type filter hook prerouting priority -310; policy accept;",
            rules: ["ether type arp arp saddr ip 169.254.0.0/24 iifname @\(devices) drop"])
        return table
    }
}
