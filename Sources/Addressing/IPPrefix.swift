/// A network in CIDR form. Bits of the address behind the prefix length are always zero.
public struct IPPrefix: Hashable, Sendable, Comparable {
    /// The network address: the lowest address of the prefix.
    public let address: IPAddress
    /// Bits that all addresses of the prefix share: 0...32 or 0...128.
    public let length: Int

    /// Clears the host bits of `address`. Nil when the length does not fit the family.
    public init?(masking address: IPAddress, length: Int) {
        guard (0...address.version.addressBits).contains(length) else { return nil }
        let masked = address.number & ~Self.hostMask(address.version, length)
        guard let network = IPAddress(version: address.version, number: masked) else { return nil }
        self.address = network
        self.length = length
    }

    /// Parses "address/length", or a lone address as a host prefix. Host bits are cleared.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard let first = parts.first, let address = IPAddress(first), parts.count <= 2 else { return nil }
        guard parts.count == 2 else {
            self.init(masking: address, length: address.version.addressBits)
            return
        }
        guard let length = parsePrefixLength(parts[1]) else { return nil }
        self.init(masking: address, length: length)
    }

    public var version: IPVersion { address.version }

    /// The highest address: the broadcast address of an IPv4 prefix up to /30.
    public var last: IPAddress {
        guard let last = IPAddress(version: version, number: address.number | Self.hostMask(version, length)) else {
            preconditionFailure("the host mask of a prefix stays inside its family")
        }
        return last
    }

    public func contains(_ other: IPAddress) -> Bool {
        other.version == version && address.number <= other.number && other.number <= last.number
    }

    public func contains(_ other: IPPrefix) -> Bool {
        other.length >= length && contains(other.address)
    }

    public func overlaps(_ other: IPPrefix) -> Bool { contains(other) || other.contains(self) }

    /// The address `offset` behind the network address; nil when it is outside the prefix.
    public subscript(offset: Int) -> IPAddress? {
        guard let candidate = address.advanced(by: offset), contains(candidate) else { return nil }
        return candidate
    }

    public static func < (left: Self, right: Self) -> Bool {
        left.address == right.address ? left.length < right.length : left.address < right.address
    }

    private static func hostMask(_ version: IPVersion, _ length: Int) -> UInt128 {
        let hostBits = version.addressBits - length
        return hostBits == 128 ? UInt128.max : (1 << UInt128(hostBits)) - 1
    }
}

extension IPPrefix: CustomStringConvertible {
    public var description: String { "\(address)/\(length)" }
}

/// An address together with the length of the prefix that it lives in, as an interface carries it: "10.0.0.1/24".
public struct InterfaceAddress: Hashable, Sendable, Comparable {
    public let address: IPAddress
    public let prefixLength: Int

    public init(_ address: IPAddress, prefixLength: Int) {
        precondition((0...address.version.addressBits).contains(prefixLength), "the prefix length must fit the address family")
        self.address = address
        self.prefixLength = prefixLength
    }

    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let address = IPAddress(parts[0]), let length = parsePrefixLength(parts[1]),
            (0...address.version.addressBits).contains(length)
        else { return nil }
        self.init(address, prefixLength: length)
    }

    /// The prefix that the interface is attached to.
    public var prefix: IPPrefix {
        guard let prefix = IPPrefix(masking: address, length: prefixLength) else {
            preconditionFailure("the initialiser checked the prefix length")
        }
        return prefix
    }

    public static func < (left: Self, right: Self) -> Bool {
        left.address == right.address ? left.prefixLength < right.prefixLength : left.address < right.address
    }
}

extension InterfaceAddress: CustomStringConvertible {
    public var description: String { "\(address)/\(prefixLength)" }
}
