import Addressing
import Testing

@testable import ServiceProcesses

@Suite("A VRRP advertisement")
struct VRRPAdvertisementTests {
    private static func advertisement(
        version: Int = 3, priority: Int = 254, intervalMilliseconds: Int = 1000, password: String? = nil,
        addresses: [IPv4Address] = [IPv4Address(169, 254, 0, 5)]
    ) -> VRRPAdvertisement {
        VRRPAdvertisement(
            version: version, source: IPv4Address(169, 254, 192, 1), destination: IPv4Address(169, 254, 192, 2),
            sourceMAC: MACAddress(rawValue: 0xFA16_3E00_0001), destinationMAC: MACAddress(rawValue: 0xFA16_3E00_0002),
            virtualRouterID: 5, priority: priority, intervalMilliseconds: intervalMilliseconds, password: password, addresses: addresses)
    }

    private static func octets(_ text: String) -> [UInt8] {
        text.split(whereSeparator: \.isWhitespace).flatMap { word in
            stride(from: 0, to: word.count, by: 2).compactMap { UInt8(word.dropFirst($0).prefix(2), radix: 16) }
        }
    }

    /// Captured with tcpdump: keepalived 2.2.7, a member with the peer 169.254.192.2.
    private static let captured = "fa163e000201 fa163e000101 0800 45c000200003 0000ff70e6a9 a9fec001 a9fec002 3105fe0100645213 a9fe0005"
    private static let capturedWithPassword = """
        fa163e000201 fa163e000101 0800 45c000280003 0000ff70e6a1 a9fec001 a9fec002 2105fa010101fda7 a9fe0005 7365637265740000
        """

    @Test("A frame that keepalived wrote is read, and written the same but for the identification that the sender chose")
    func real() throws {
        for text in [Self.captured, Self.capturedWithPassword] {
            let frame = Self.octets(text)
            let read = try #require(VRRPAdvertisement(frame: frame))
            #expect(!read.isInjected)
            #expect(read.virtualRouterID == 5 && read.addresses == [IPv4Address(169, 254, 0, 5)])
            var written = read.bytes
            // Identification and header checksum.
            for index in [18, 19, 24, 25] { written[index] = frame[index] }
            #expect(written == frame)
        }
        #expect(VRRPAdvertisement(frame: Self.octets(Self.capturedWithPassword))?.password == "secret")
    }

    @Test(
        "What is written is read",
        arguments: [
            advertisement(), advertisement(priority: 0), advertisement(priority: 255, intervalMilliseconds: 40_950),
            advertisement(addresses: []), advertisement(addresses: (0..<255).map { IPv4Address(10, 0, 0, $0) }),
            advertisement(version: 2), advertisement(version: 2, intervalMilliseconds: 255_000, password: "12345678"),
            advertisement(version: 2, password: "x", addresses: []),
        ])
    func roundTrip(_ advertisement: VRRPAdvertisement) {
        #expect(VRRPAdvertisement(frame: advertisement.bytes) == advertisement)
        // Ethernet pads short frames.
        #expect(VRRPAdvertisement(frame: advertisement.bytes + [0, 0, 0]) == advertisement)
    }

    @Test("The mark that tells our frames from a speaker's survives")
    func mark() {
        var advertisement = Self.advertisement()
        #expect(VRRPAdvertisement(frame: advertisement.bytes)?.isInjected == true)
        advertisement.isInjected = false
        #expect(VRRPAdvertisement(frame: advertisement.bytes)?.isInjected == false)
    }

    @Test("A frame that was cut anywhere is refused")
    func cut() {
        for version in [2, 3] {
            let bytes = Self.advertisement(version: version, password: version == 2 ? "secret" : nil).bytes
            for length in 0..<bytes.count { #expect(VRRPAdvertisement(frame: bytes.prefix(length)) == nil) }
        }
    }

    @Test("A frame with one bit turned over is refused, but for the MACs, which no checksum covers")
    func damaged() {
        for version in [2, 3] {
            let bytes = Self.advertisement(version: version, password: version == 2 ? "secret" : nil).bytes
            for index in 12..<bytes.count {
                for bit in 0..<8 {
                    var damaged = bytes
                    damaged[index] ^= 1 << UInt8(bit)
                    #expect(VRRPAdvertisement(frame: damaged) == nil, "octet \(index), bit \(bit)")
                }
            }
        }
    }

    @Test("Noise is refused without a trap")
    func noise() {
        var generator = SplitMix(state: 7)
        let bytes = Self.advertisement().bytes
        for _ in 0..<20_000 {
            var frame = bytes
            for _ in 0..<Int.random(in: 1...8, using: &generator) {
                frame[Int.random(in: 0..<frame.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            frame.removeLast(Int.random(in: 0..<frame.count, using: &generator))
            _ = VRRPAdvertisement(frame: frame)
        }
    }

    @Test("Intervals are rounded up to what the version can say")
    func interval() {
        for (version, milliseconds, read) in [(3, 1, 10), (3, 101, 110), (3, 99_000, 40_950), (2, 1, 1000), (2, 1001, 2000)] {
            let advertisement = Self.advertisement(version: version, intervalMilliseconds: milliseconds)
            #expect(VRRPAdvertisement(frame: advertisement.bytes)?.intervalMilliseconds == read)
        }
    }

    @Test("A password longer than eight octets is cut, as keepalived cuts its own")
    func longPassword() {
        let advertisement = Self.advertisement(version: 2, password: "123456789")
        #expect(VRRPAdvertisement(frame: advertisement.bytes)?.password == "12345678")
    }
}

/// Numbers that are the same in every run.
private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }
}
