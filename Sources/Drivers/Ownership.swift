import KernelInterface

/// Which kernel objects are ours, told from what is found alone: an agent that was just started has no memory.
public enum Ownership {
    /// Names that only Neutron's devices have. In a router's or DHCP's namespace everything with such a name is ours; in the host's own, where
    /// somebody else may well call a device `ha-link`, only bridges and tunnels have them.
    static let innerPrefixes = ["qr-", "qg-", "ha-", "ns-"]
    /// Devices with other names (the bridge's end of a router's veth is called `tap…`, like an instance's) carry this alias.
    static let aliasPrefix = "neutrino"
    static let routerNamespacePrefix = "qrouter-"
    static let namespacePrefixes = [routerNamespacePrefix, "qdhcp-"]
    static let tablePrefix = "neutrino"
    static let bridgePrefix = "brq"
    static let tunnelPrefix = "vxlan-"

    public static func owns(_ link: Link, in place: NamespaceName?) -> Bool {
        if ownsForwarding(on: link.name) || link.alias?.hasPrefix(aliasPrefix) == true { return true }
        return place != nil && innerPrefixes.contains { link.name.hasPrefix($0) }
    }

    public static func owns(_ namespace: NamespaceName) -> Bool {
        namespacePrefixes.contains { namespace.description.hasPrefix($0) }
    }

    /// `table` as nft and ``NetworkKernel/firewallTables(in:)`` name it: "family name".
    public static func owns(table: String) -> Bool {
        guard let space = table.firstIndex(of: " ") else { return false }
        return table[table.index(after: space)...].hasPrefix(tablePrefix)
    }

    /// Whether rules of policy routing that were made as the agent makes them are ours: elsewhere they are somebody else's.
    static func ownsRules(in place: NamespaceName?) -> Bool { place?.description.hasPrefix(routerNamespacePrefix) == true }

    static func isBridge(_ name: String) -> Bool { name.hasPrefix(bridgePrefix) }

    /// As Nova and Neutron name them; nobody else's devices are in our bridges under such a name.
    static func isInstanceDevice(_ name: String) -> Bool { name.hasPrefix("tap") }

    static let redundancyPrefix = "ha-"

    /// Whether permanent neighbours of the link are ours.
    static func ownsNeighbours(on link: String, in place: NamespaceName?) -> Bool {
        ownsForwarding(on: link) || place != nil && link.hasPrefix(redundancyPrefix)
    }

    /// Whether forwarding entries of the link are ours: on somebody else's device they are somebody else's.
    static func ownsForwarding(on link: String) -> Bool { link.hasPrefix(bridgePrefix) || link.hasPrefix(tunnelPrefix) }
}
