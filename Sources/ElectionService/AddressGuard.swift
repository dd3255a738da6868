import Addressing
import Election
import Glibc
import KernelInterface
import NetworkModel

/// Finds out whether somebody else on an external network answers for addresses of this host's routers.
///
/// It asks from the bridge (``ARPProbe``, ``NeighbourProbe``), so that a router's own answer is seen beside any other, and nobody's table changes. Nothing waits for
/// it, and so it has neither a thread nor descriptors to wait for: whoever calls it once a second gets what came since.
public actor AddressGuard {
    private var prober: AddressProber

    public init() throws(KernelError) { prober = try AddressProber() }

    /// - Parameter addresses: all that this host answers for now.
    /// - Returns: a sentence for each router of which somebody else has an address.
    public func conflicts(of addresses: [ExternalAddress]) -> [ResourceID: String] {
        prober.conflicts(of: addresses, now: monotonicMilliseconds())
    }
}

/// The work of an ``AddressGuard``, in the namespace of its caller's thread.
struct AddressProber {
    /// Frames of one bridge that one look takes: above all that the requests between two looks bring. What is beyond waits in the socket, or is
    /// lost there.
    static let maximumReads = 8

    private struct Place: Hashable {
        var bridge: String
        var version: IPVersion

        init(_ address: ExternalAddress) {
            bridge = address.bridge
            version = address.address.version
        }
    }

    private struct Ear {
        var linkIndex: Int32
        var sniffer: Sniffer
    }

    private let frames: FrameSender
    private var ears: [Place: Ear] = [:]
    private var watch = AddressWatch()

    init() throws(KernelError) { frames = try FrameSender() }

    mutating func conflicts(of addresses: [ExternalAddress], now: Int) -> [ResourceID: String] {
        watch.update(addresses, now: now)
        listen(at: Set(addresses.map(Place.init)), now: now)
        for address in watch.requests(now: now) where ears[Place(address)] != nil {
            _ = AddressProbe.ask(for: address.address, on: address.bridge, frames)
        }
        return sentences
    }

    private mutating func listen(at places: Set<Place>, now: Int) {
        for place in ears.keys where !places.contains(place) { ears[place] = nil }
        for place in places {
            guard let index = frames.index(of: place.bridge) else {
                ears[place] = nil
                continue
            }
            if ears[place]?.linkIndex != index {
                ears[place] = (try? AddressProbe.listen(place.version, linkIndex: index)).map { Ear(linkIndex: index, sniffer: $0) }
            }
            guard let sniffer = ears[place]?.sniffer else { continue }
            for _ in 0..<Self.maximumReads {
                var count = 0
                let isThere = sniffer.read { frame in
                    count += 1
                    guard let claim = AddressProbe.claim(ofReply: frame, place.version) else { return }
                    watch.answered(claim.address, on: place.bridge, by: claim.mac, now: now)
                }
                if !isThere { ears[place] = nil }
                if count < Sniffer.maximumFrames { break }
            }
        }
    }

    /// Of several conflicts of a router the lowest address is named, so that the sentence stays.
    private var sentences: [ResourceID: String] {
        var sentences: [ResourceID: String] = [:]
        for (address, rival) in watch.rivals.sorted(by: { $0.key.address < $1.key.address }) where sentences[address.routerID] == nil {
            sentences[address.routerID] =
                "another device on the external network, \(rival), also has the router's address \(address.address)"
        }
        return sentences
    }
}
