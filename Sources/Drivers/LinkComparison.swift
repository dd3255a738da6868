import KernelInterface

/// Compares a link as it shall be with a link as it was found.
enum LinkComparison {
    /// Whether the kernel could turn the found link into the wanted one; if not, it must be removed and made again.
    static func isSameKind(_ wanted: Link, _ found: Link) -> Bool {
        switch (wanted.kind, found.kind) {
        case (.foreign, _): true
        // A kernel that cannot name the namespace of the peer reports no peer: that is not a difference.
        case (.veth, .veth(peer: "", _)): true
        default: wanted.kind == found.kind
        }
    }

    /// What the wanted link leaves open is not compared.
    static func needsChange(from found: Link, to wanted: Link) -> Bool {
        if wanted.kind == .bridge, !found.alterations.isEmpty { return true }
        if let mac = wanted.mac, mac != found.mac { return true }
        if let mtu = wanted.mtu, mtu != found.mtu { return true }
        if let alias = wanted.alias, alias != found.alias { return true }
        if wanted.isUp != found.isUp || wanted.bridge != found.bridge { return true }
        return wanted.bridge != nil && wanted.bridgePort != found.bridgePort
    }

    /// The change that realises `wanted`. A foreign link that nothing is said about a bridge of stays in a bridge that is not ours.
    static func change(from found: Link, to wanted: Link) -> Link {
        var change = wanted
        if wanted.kind == .foreign, wanted.bridge == nil, let bridge = found.bridge, !Ownership.isBridge(bridge) {
            change.bridge = bridge
            change.bridgePort = found.bridgePort
        }
        return change
    }
}
