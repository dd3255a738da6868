import Addressing

/// A VRRP advertisement of a group of IPv4 addresses with everything around it: Ethernet, IPv4 and VRRP version 2 (RFC 2338, which still
/// had passwords; RFC 3768) or 3 (RFC 5798).
///
///     octets    0              14              34             42
///               ┌──────────────┬───────────────┬──────────────┬─────────────────────────┬────────────────────┐
///               │ Ethernet II  │ IPv4, no      │ VRRP: header │ addresses, 4 octets each│ version 2 only:    │
///               │              │ options       │              │                         │ 8 octets password  │
///               └──────────────┴───────────────┴──────────────┴─────────────────────────┴────────────────────┘
///
/// What keepalived 2.2.7 checks, and drops the advertisement otherwise: version, password, length, checksum, that the destination is an
/// address of its own exactly if it speaks to peers, and that ``addresses`` are its own primary addresses; of version 2 also that the
/// interval is its own. It asks neither for the TTL nor for the source of an advertisement to its own address.
public struct VRRPAdvertisement: Hashable, Sendable {
    /// The master that says this is about to stop: a backup takes over after its skew, a master answers with an advertisement.
    public static let resigningPriority = 0
    /// More than any member of ours has: a master that hears this is backup at once.
    public static let owningPriority = 255
    /// Where advertisements go that have no single receiver.
    public static let group = IPv4Address(224, 0, 0, 18)
    /// 112.
    public static let protocolNumber: UInt8 = 112
    /// The most addresses in one advertisement.
    public static let maximumAddresses = 255

    /// The octet of the IPv4 header that says how urgent the packet is. keepalived always writes 0xC0 (network control).
    static let speakerTypeOfService: UInt8 = 0xC0
    /// What ``isInjected`` is on the wire: network control with one more bit, which nobody between two ends of a veth pair looks at.
    static let injectedTypeOfService: UInt8 = 0xC4

    /// 2 or 3.
    public var version: Int
    public var source: IPv4Address
    public var destination: IPv4Address
    public var sourceMAC: MACAddress
    public var destinationMAC: MACAddress
    /// 1...255.
    public var virtualRouterID: Int
    /// 0...255.
    public var priority: Int
    /// Rounded up to what the version can say: hundredths of a second up to 40.95 s, or whole seconds up to 255 s.
    public var intervalMilliseconds: Int
    /// Version 2 only; at most 8 octets count. Nil says that the group has none.
    public var password: String?
    /// The addresses that the group advertises.
    public var addresses: [IPv4Address]
    /// Written by us in the name of ``source``, not by the VRRP speaker itself.
    public var isInjected: Bool

    public init(
        version: Int = 3, source: IPv4Address, destination: IPv4Address, sourceMAC: MACAddress, destinationMAC: MACAddress,
        virtualRouterID: Int, priority: Int, intervalMilliseconds: Int = 1000, password: String? = nil, addresses: [IPv4Address],
        isInjected: Bool = true
    ) {
        precondition(version == 2 || version == 3, "VRRP has version 2 and 3")
        precondition((1...255).contains(virtualRouterID), "a VRRP group's number has 8 bits and is not 0")
        precondition((0...255).contains(priority), "a priority has 8 bits")
        precondition(addresses.count <= Self.maximumAddresses, "an advertisement counts its addresses with 8 bits")
        self.version = version
        self.source = source
        self.destination = destination
        self.sourceMAC = sourceMAC
        self.destinationMAC = destinationMAC
        self.virtualRouterID = virtualRouterID
        self.priority = priority
        self.intervalMilliseconds = intervalMilliseconds
        self.password = password
        self.addresses = addresses
        self.isInjected = isInjected
    }

    /// An interval in the unit of the version: hundredths of a second in 12 bits (version 3), seconds in 8 bits (version 2). Rounded up.
    static func wireInterval(milliseconds: Int, version: Int) -> Int {
        version == 2 ? min(max((milliseconds + 999) / 1000, 1), 255) : min(max((milliseconds + 9) / 10, 1), 4095)
    }
}

// MARK: - Writing

extension VRRPAdvertisement {
    /// The whole frame, for a packet socket (packet(7)) of type SOCK_RAW.
    public var bytes: [UInt8] {
        let message = message
        var header: [UInt8] = [0x45, isInjected ? Self.injectedTypeOfService : Self.speakerTypeOfService]
        let length = Self.headerLength + message.count
        // Length, identification, no fragment, time to live 255 (it was never forwarded), protocol, checksum.
        header += [UInt8(length >> 8), UInt8(length & 0xFF), 0, 0, 0, 0, 255, Self.protocolNumber, 0, 0]
        header += source.octets + destination.octets
        Self.write(InternetChecksum.of(header), to: &header, at: 10)
        return destinationMAC.octets + sourceMAC.octets + [8, 0] + header + message
    }

    /// The VRRP message, with its checksum.
    private var message: [UInt8] {
        let interval = Self.wireInterval(milliseconds: intervalMilliseconds, version: version)
        var message: [UInt8] = [UInt8(version << 4 | 1), UInt8(virtualRouterID), UInt8(priority), UInt8(addresses.count)]
        if version == 2 {
            message += [password == nil ? 0 : Self.passwordAuthentication, UInt8(interval), 0, 0]
        } else {
            message += [UInt8(interval >> 8), UInt8(interval & 0xFF), 0, 0]
        }
        message += addresses.flatMap(\.octets)
        if version == 2 { message += Self.passwordOctets(password) }
        let covered = version == 2 ? message : Self.pseudoHeader(source, destination, message.count) + message
        Self.write(InternetChecksum.of(covered), to: &message, at: 6)
        return message
    }

    private static func passwordOctets(_ password: String?) -> [UInt8] {
        let octets = Array((password ?? "").utf8.prefix(passwordLength))
        return octets + [UInt8](repeating: 0, count: passwordLength - octets.count)
    }

    private static func write(_ value: UInt16, to octets: inout [UInt8], at index: Int) {
        octets[index] = UInt8(value >> 8)
        octets[index + 1] = UInt8(value & 0xFF)
    }
}

// MARK: - Reading

extension VRRPAdvertisement {
    /// Reads a frame as a packet socket gives it, padding after the packet allowed.
    ///
    /// - Returns: Nil for everything that is not a whole VRRP advertisement of version 2 or 3 over IPv4 with right checksums. Passwords of
    ///   another kind than plain text (RFC 2338: type 2) are not read.
    public init?(frame: some Sequence<UInt8>) {
        let octets = Array(frame)
        let start = Self.ethernetLength
        guard octets.count >= start + Self.headerLength, octets[12] == 8, octets[13] == 0, octets[start] >> 4 == 4 else { return nil }
        let headerLength = Int(octets[start] & 15) * 4
        let length = Int(octets[start + 2]) << 8 | Int(octets[start + 3])
        guard headerLength >= Self.headerLength, length >= headerLength + Self.messageHeaderLength, octets.count >= start + length,
            octets[start + 9] == Self.protocolNumber,
            // Neither more fragments nor an offset.
            octets[start + 6] & 0x3F == 0, octets[start + 7] == 0,
            InternetChecksum.of(octets[start..<start + headerLength]) == 0
        else { return nil }
        self.init(
            message: octets[(start + headerLength)..<(start + length)], source: Self.address(octets, at: start + 12),
            destination: Self.address(octets, at: start + 16), sourceMAC: Self.mac(octets, at: 6), destinationMAC: Self.mac(octets, at: 0),
            isInjected: octets[start + 1] == Self.injectedTypeOfService)
    }

    private init?(
        message: ArraySlice<UInt8>, source: IPv4Address, destination: IPv4Address, sourceMAC: MACAddress, destinationMAC: MACAddress,
        isInjected: Bool
    ) {
        let octets = Array(message)
        let version = Int(octets[0] >> 4)
        let count = Int(octets[3])
        let end = Self.messageHeaderLength + 4 * count
        guard version == 2 || version == 3, octets[0] & 15 == 1, octets[1] != 0,
            octets.count == end + (version == 2 ? Self.passwordLength : 0)
        else { return nil }
        let covered = version == 2 ? octets : Self.pseudoHeader(source, destination, octets.count) + octets
        guard InternetChecksum.of(covered) == 0 else { return nil }
        var password: String?
        if version == 2, octets[4] == Self.passwordAuthentication {
            password = String(decoding: octets[end...].prefix { $0 != 0 }, as: UTF8.self)
        }
        self.init(
            version: version, source: source, destination: destination, sourceMAC: sourceMAC, destinationMAC: destinationMAC,
            virtualRouterID: Int(octets[1]), priority: Int(octets[2]),
            intervalMilliseconds: version == 2 ? Int(octets[5]) * 1000 : (Int(octets[4] & 15) << 8 | Int(octets[5])) * 10,
            password: password, addresses: (0..<count).map { Self.address(octets, at: Self.messageHeaderLength + 4 * $0) },
            isInjected: isInjected)
    }

    private static func address(_ octets: [UInt8], at index: Int) -> IPv4Address {
        IPv4Address(octets[index], octets[index + 1], octets[index + 2], octets[index + 3])
    }

    private static func mac(_ octets: [UInt8], at index: Int) -> MACAddress {
        MACAddress(rawValue: octets[index..<index + 6].reduce(0) { $0 << 8 | UInt64($1) })
    }
}

// MARK: - Both

extension VRRPAdvertisement {
    private static let ethernetLength = 14
    private static let headerLength = 20
    private static let messageHeaderLength = 8
    private static let passwordLength = 8
    private static let passwordAuthentication: UInt8 = 1

    /// What version 3's checksum covers beside the message (RFC 5798, section 5.2.8).
    private static func pseudoHeader(_ source: IPv4Address, _ destination: IPv4Address, _ length: Int) -> [UInt8] {
        source.octets + destination.octets + [0, protocolNumber, UInt8(length >> 8), UInt8(length & 0xFF)]
    }
}
