/// Lets the two masters of a planned handover overlap although the new one has the higher VRRP priority.
///
/// Its first advertisement, which keepalived sends before it sets the addresses, would make the old one's keepalived take them away at once: for some
/// milliseconds nobody would have them. So the old one's host keeps advertisements of others from its HA device meanwhile. Its own agent, which injects at the
/// host's end of that device, passes by the bridge, and says when to give way.
///
/// When the old one gives way, its keepalived says so with its own priority, which would throw down a new one that has a lower one: that is kept from the others.
///
/// The kernel takes the device out of the set by itself, also when the agent has died. The table is not one of the agent's (``Ownership``): its changes are
/// those of somebody else, and no reason to look at the agent's own tables.
public enum HandoverFilter {
    /// IP protocol number of VRRP (RFC 5798, section 5.1.1.4).
    private static let vrrp = 112
    private static let table = "bridge vrrp_handover"

    /// What is kept from passing the host's end of an HA device.
    public enum Advertisements: Hashable, Sendable {
        case toDevice(String)
        case fromDevice(String)
    }

    /// - Parameter advertisements: each for so many milliseconds from now on.
    public static func script(_ advertisements: [Advertisements: Int]) -> String {
        let elements = advertisements.map { advertisements, milliseconds -> String in
            switch advertisements {
            case .toDevice(let device): TimedElement.renewal(device, in: "deaf", of: table, milliseconds: milliseconds)
            case .fromDevice(let device): TimedElement.renewal(device, in: "mute", of: table, milliseconds: milliseconds)
            }
        }
        return """
            add table \(table)
            add set \(table) deaf { type ifname; flags timeout; }
            add set \(table) mute { type ifname; flags timeout; }
            add chain \(table) forward { type filter hook forward priority -10; policy accept; }
            flush chain \(table) forward
            add rule \(table) forward oifname @deaf ip protocol \(vrrp) drop
            add rule \(table) forward iifname @mute ip protocol \(vrrp) drop
            \(elements.sorted().joined())
            """
    }
}
