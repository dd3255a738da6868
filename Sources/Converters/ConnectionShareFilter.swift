import KernelInterface

/// Lets instances begin no more connections, while the host's table of them is nearly full and they hold more than their share: their packets of connections that
/// are there pass, what no connection is made of (ARP, neighbour discovery), and DHCP.
///
/// The kernel takes a device out of the set by itself, also when the agent has died. The table is not one of the agent's (``Ownership``): its changes are those
/// of somebody else, and no reason to look at the agent's own tables. It is there only while it is needed, so it costs nothing otherwise.
public enum ConnectionShareFilter {
    public static let table = "bridge connection_shares"
    /// As `nft list counters` names it.
    public static let counter = "connection_share"
    /// Messages of DHCP are tracked as well, so that not any number of them passes.
    private static let dhcpPerSecond = 20

    /// - Parameter milliseconds: how long the devices stay in the set unless the script is run again.
    public static func script(_ devices: [String], milliseconds: Int, hasBridgeConntrack: Bool) -> String {
        let isKnown = hasBridgeConntrack ? "ct state != new" : "meta mark != \(ConnectionStateTable.Mark.fresh)"
        let elements = devices.sorted().map { TimedElement.renewal($0, in: "holders", of: table, milliseconds: milliseconds) }
        return """
            add table \(table)
            add counter \(table) \(counter)
            add set \(table) holders { type ifname; flags timeout; }
            add chain \(table) refuse
            add chain \(table) forward { type filter hook forward priority -10; policy accept; }
            flush chain \(table) refuse
            flush chain \(table) forward
            add rule \(table) forward \(isKnown) accept
            add rule \(table) forward iifname @holders goto refuse
            add rule \(table) forward oifname @holders goto refuse
            add rule \(table) refuse ether type { arp, 0x8035 } accept
            add rule \(table) refuse icmpv6 type { 130-136, 143 } accept
            add rule \(table) refuse udp sport 68 udp dport 67 limit rate \(dhcpPerSecond)/second accept
            add rule \(table) refuse udp sport 67 udp dport 68 limit rate \(dhcpPerSecond)/second accept
            add rule \(table) refuse udp sport 546 udp dport 547 limit rate \(dhcpPerSecond)/second accept
            add rule \(table) refuse udp sport 547 udp dport 546 limit rate \(dhcpPerSecond)/second accept
            add rule \(table) refuse counter name \(counter) drop
            \(elements.joined())
            """
    }

    /// What takes it away again.
    public static let removal = "add table \(table)\ndelete table \(table)\n"
}
