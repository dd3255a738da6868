import Addressing
import Election
import KernelInterface
import NetworkModel
import ServiceProcesses

/// Masters whose keepalived may hang: whether they still say that they are there. A master advertises, whatever it hears.
///
/// Confined to the election's thread, which waits for the descriptors.
final class SilenceWatch {
    /// Advertisements that a master may leave out before it counts as hanging.
    static let silentIntervals = 2
    static let slackMilliseconds = 300

    private struct Suspect {
        var sniffer: Sniffer
        var localAddress: IPAddress
        var deadline: Int
    }

    private var suspects: [ResourceID: Suspect] = [:]

    /// When the next judgement is due; nil when nobody is suspected.
    var nextDeadline: Int? { suspects.values.lazy.map(\.deadline).min() }

    /// Begins to listen. The descriptor to wait for; nil when the member is suspected already or has no device.
    func begin(_ member: ElectionMember, linkIndex: Int32?, now: Int) -> Int32? {
        let id = member.router.id
        guard suspects[id] == nil, let linkIndex, let sniffer = try? Sniffer.ofVRRP(linkIndex: linkIndex) else { return nil }
        let patience = Self.silentIntervals * member.advertisementIntervalMilliseconds + Self.slackMilliseconds
        suspects[id] = Suspect(sniffer: sniffer, localAddress: member.router.localAddress, deadline: now + patience)
        return sniffer.descriptor
    }

    /// Stops listening. The descriptor that is closed by that.
    func end(_ id: ResourceID) -> Int32? { suspects.removeValue(forKey: id)?.sniffer.descriptor }

    /// Reads what came. True when the suspicion is over: it spoke, or its device is gone.
    func read(_ id: ResourceID) -> Bool {
        guard let suspect = suspects[id] else { return false }
        var isHeard = false
        let isThere = suspect.sniffer.read { frame in
            guard let found = VRRPAdvertisement(frame: frame), !found.isInjected else { return }
            isHeard = isHeard || .v4(found.source) == suspect.localAddress
        }
        return isHeard || !isThere
    }

    /// Those that have said nothing until now.
    func silent(at now: Int) -> [ResourceID] { suspects.filter { now >= $0.value.deadline }.map(\.key) }
}

extension Sniffer {
    /// The protocol of an IPv4 header behind an Ethernet header, and VRRP's number.
    static func ofVRRP(linkIndex: Int32) throws(KernelError) -> Sniffer {
        try Sniffer(linkIndex: linkIndex, etherType: 0x0800, octetAt: 23, is: VRRPAdvertisement.protocolNumber)
    }
}
