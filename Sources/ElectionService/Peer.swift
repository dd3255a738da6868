import Addressing
import CLinux

extension clinux_peer {
    init(_ address: IPAddress) {
        self.init()
        is_ipv6 = address.version == .v6 ? 1 : 0
        let source = address.octets
        withUnsafeMutableBytes(of: &octets) { $0.copyBytes(from: source) }
    }

    var address: IPAddress {
        let bytes = withUnsafeBytes(of: octets) { Array($0) }
        let count = is_ipv6 == 0 ? 4 : 16
        let number = bytes.prefix(count).reduce(UInt128(0)) { $0 << 8 | UInt128($1) }
        if is_ipv6 == 0 { return .v4(IPv4Address(rawValue: UInt32(truncatingIfNeeded: number))) }
        return .v6(IPv6Address(rawValue: number))
    }
}
