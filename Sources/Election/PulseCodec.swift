import Addressing
import NetworkModel

/// The datagram of a pulse, big endian:
///
///      0  2  magic 4E 45          20  4  ack           then per host heard:  1  flags (1 IPv6, 2 alive)
///      2  1  version 1            24  4  latest                           4/16  address
///      3  1  flags (1 hears you)  28  4  base          then per entry:      16  router
///      4  8  startID              32  4  upTo                                1  state | 8 draining | 16 yielding | gateway << 5 | 128 taking
///     12  8  ackStartID           36  1  count heard                         4  term
///                                 37  1  count entries                       4  change number
extension Pulse {
    static let maximumBytes = 1200
    static let headerBytes = 38
    static let entryBytes = 25
    /// More hosts than fit are left out: no one then learns from us that they live.
    static let maximumHeardBytes = 600
    /// Of a host with an IPv6 address.
    private static let longestHeardBytes = 17

    private static let magic: UInt16 = 0x4E45
    private static let version: UInt8 = 1

    /// The part of a datagram that lists hosts, which seldom changes; at most `maximumHeardBytes` and 255 hosts.
    static func encode(heard: [Heard]) -> (count: Int, bytes: [UInt8]) {
        var bytes: [UInt8] = []
        var count = 0
        for host in heard {
            let octets = host.endpoint.octets
            guard bytes.count + 1 + octets.count <= maximumHeardBytes, count < 255 else { break }
            bytes.append((host.endpoint.version == .v6 ? 1 : 0) | (host.isAlive ? 2 : 0))
            bytes += octets
            count += 1
        }
        return (count, bytes)
    }

    /// Whether a list of hosts may have been too long for its datagram: then it says nothing of those that are not in it.
    static func mayLackHosts(_ heard: [Heard]) -> Bool {
        heard.count == 255 || heard.reduce(0) { $0 + 1 + $1.endpoint.octets.count } + longestHeardBytes > maximumHeardBytes
    }

    /// How many entries fit beside a list of hosts.
    static func entryCapacity(heardBytes: Int) -> Int { (maximumBytes - headerBytes - heardBytes) / entryBytes }

    /// - Precondition: the entries fit (`entryCapacity`).
    func encoded(heardCount: Int, heardBytes: [UInt8]) -> [UInt8] {
        precondition(entries.count <= Self.entryCapacity(heardBytes: heardBytes.count), "a pulse has more entries than fit a datagram")
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.headerBytes + heardBytes.count + entries.count * Self.entryBytes)
        bytes.append(bigEndian: Self.magic)
        bytes.append(Self.version)
        bytes.append(hearsReceiver ? 1 : 0)
        bytes.append(bigEndian: startID)
        bytes.append(bigEndian: ackStartID)
        for number in [ack, latest, base, upTo] { bytes.append(bigEndian: number) }
        bytes.append(UInt8(heardCount))
        bytes.append(UInt8(entries.count))
        bytes += heardBytes
        for entry in entries {
            bytes.append(bigEndian: entry.id.rawValue)
            let flags: UInt8 = (entry.isDraining ? 8 : 0) | (entry.isYielding ? 16 : 0) | (entry.isTaking ? 128 : 0)
            bytes.append(entry.state.rawValue | flags | entry.gateway.rawValue << 5)
            bytes.append(bigEndian: entry.term)
            bytes.append(bigEndian: entry.number)
        }
        return bytes
    }

    func encoded() -> [UInt8] {
        let (count, bytes) = Self.encode(heard: heard)
        return encoded(heardCount: count, heardBytes: bytes)
    }

    /// Nil for anything that is not exactly a pulse of this version.
    init?(_ bytes: [UInt8]) {
        guard bytes.count <= Self.maximumBytes else { return nil }
        var reader = Reader(bytes: bytes)
        guard reader.integer(UInt16.self) == Self.magic, reader.integer(UInt8.self) == Self.version,
            let flags = reader.integer(UInt8.self), let startID = reader.integer(UInt64.self),
            let ackStartID = reader.integer(UInt64.self), let ack = reader.integer(UInt32.self),
            let latest = reader.integer(UInt32.self), let base = reader.integer(UInt32.self), let upTo = reader.integer(UInt32.self),
            let heardCount = reader.integer(UInt8.self), let entryCount = reader.integer(UInt8.self)
        else { return nil }
        self.init(
            startID: startID, hearsReceiver: flags & 1 != 0, ackStartID: ackStartID, ack: ack, latest: latest, base: base, upTo: upTo)
        for _ in 0..<heardCount {
            guard let host = reader.heard() else { return nil }
            heard.append(host)
        }
        for _ in 0..<entryCount {
            guard let entry = reader.entry() else { return nil }
            entries.append(entry)
        }
        guard reader.isAtEnd else { return nil }
    }

    /// Reads forward and never beyond the end.
    private struct Reader {
        let bytes: [UInt8]
        var position = 0

        init(bytes: [UInt8]) { self.bytes = bytes }

        var isAtEnd: Bool { position == bytes.count }

        mutating func integer<Value: FixedWidthInteger & UnsignedInteger>(_ type: Value.Type) -> Value? {
            let width = Value.bitWidth / 8
            guard bytes.count - position >= width else { return nil }
            var value: Value = 0
            for byte in bytes[position..<position + width] { value = value << 8 | Value(byte) }
            position += width
            return value
        }

        mutating func heard() -> Heard? {
            guard let flags = integer(UInt8.self), flags & ~3 == 0 else { return nil }
            let number: UInt128?
            if flags & 1 == 0 { number = integer(UInt32.self).map { UInt128($0) } } else { number = integer(UInt128.self) }
            guard let number, let endpoint = IPAddress(version: flags & 1 == 0 ? .v4 : .v6, number: number) else { return nil }
            return Heard(endpoint: endpoint, isAlive: flags & 2 != 0)
        }

        mutating func entry() -> Entry? {
            guard let id = integer(UInt128.self), let status = integer(UInt8.self), let term = integer(UInt32.self),
                let number = integer(UInt32.self), let state = MemberState(rawValue: status & 7),
                let gateway = Reachability(rawValue: status >> 5 & 3)
            else { return nil }
            return Entry(
                id: ResourceID(rawValue: id), state: state, isDraining: status & 8 != 0, isYielding: status & 16 != 0,
                isTaking: status & 128 != 0, gateway: gateway,
                term: term, number: number)
        }
    }
}

extension [UInt8] {
    fileprivate mutating func append(bigEndian value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
    }
}
