import Addressing
import HostModel

/// What an instance's port may call itself.
enum PortIdentity {
    /// The port's own addresses, its allowed pairs, and the link-local IPv6 address of each MAC. Of pairs with one MAC whose prefixes lie
    /// in one another, only the largest: nft refuses elements that overlap.
    static func pairs(of port: HostPort) -> [HostPort.Pair] {
        var prefixes: [MACAddress: Set<IPPrefix>] = [:]
        prefixes[port.mac] = Set(port.addresses.compactMap { IPPrefix(masking: $0, length: $0.version.addressBits) })
        for pair in port.allowedAddressPairs { prefixes[pair.mac, default: []].insert(pair.prefix) }
        return prefixes.flatMap { mac, prefixes in
            prefixes.union([linkLocal(mac)].compactMap { $0 }).disjoint.map { HostPort.Pair(prefix: $0, mac: mac) }
        }
    }

    /// fe80::/64 with the interface identifier of RFC 4291, appendix A.
    private static func linkLocal(_ mac: MACAddress) -> IPPrefix? {
        let prefix = IPPrefix(masking: .v6(IPv6Address(rawValue: 0xFE80 << 112)), length: 64)
        return prefix.flatMap(mac.eui64(in:)).flatMap { IPPrefix(masking: $0, length: 128) }
    }
}

extension IPPrefix {
    /// Whether it is one address.
    var isHost: Bool { length == version.addressBits }
}

extension Collection<IPPrefix> {
    /// The same addresses without prefixes that lie inside others, sorted.
    var disjoint: [IPPrefix] {
        // A prefix sorts before every prefix inside it.
        sorted().reduce(into: []) { result, prefix in
            if result.last?.contains(prefix) != true { result.append(prefix) }
        }
    }
}
