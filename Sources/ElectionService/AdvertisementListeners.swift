import Addressing
import Election
import KernelInterface
import NetworkModel
import ServiceProcesses

/// Listens for real advertisements on the HA networks of some routers. A device that goes, or that is made anew, takes its listener along:
/// another one begins when there is a device again.
///
/// Confined to the election's thread, which waits for the descriptors.
final class AdvertisementListeners {
    /// How often devices are looked for that are not there.
    static let retryMilliseconds = 100

    private var devices: [ResourceID: String] = [:]
    private var sniffers: [ResourceID: Sniffer] = [:]
    /// When routers without a listener are looked after.
    private var nextRetry: Int?

    /// When ``renew(_:now:)`` is due; nil while every device is heard.
    var nextDeadline: Int? { nextRetry }

    /// Begins to listen. The descriptor to wait for; nil when there is one already, or no device yet.
    func begin(_ id: ResourceID, on device: String, _ frames: FrameSender, now: Int) -> Int32? {
        guard devices[id] == nil else { return nil }
        devices[id] = device
        return open(id, device, frames, now: now)
    }

    /// Stops listening. The descriptor that is closed by that.
    func end(_ id: ResourceID) -> Int32? {
        devices[id] = nil
        return sniffers.removeValue(forKey: id)?.descriptor
    }

    /// Reads what came. The sources of real advertisements, and the descriptor that was closed because its device has gone.
    func read(_ id: ResourceID, now: Int) -> (speakers: [IPAddress], closed: Int32?) {
        guard let sniffer = sniffers[id] else { return ([], nil) }
        var speakers: [IPAddress] = []
        let isThere = sniffer.read { frame in
            guard let found = VRRPAdvertisement(frame: frame), !found.isInjected else { return }
            speakers.append(.v4(found.source))
        }
        if isThere { return (speakers, nil) }
        sniffers[id] = nil
        nextRetry = now + Self.retryMilliseconds
        return (speakers, sniffer.descriptor)
    }

    /// Begins to listen where a device was missing and is there now: the descriptors to wait for.
    func renew(_ frames: FrameSender, now: Int) -> [(id: ResourceID, descriptor: Int32)] {
        guard let due = nextRetry, now >= due else { return [] }
        nextRetry = nil
        var begun: [(id: ResourceID, descriptor: Int32)] = []
        for (id, device) in devices where sniffers[id] == nil {
            if let descriptor = open(id, device, frames, now: now) { begun.append((id, descriptor)) }
        }
        return begun
    }

    private func open(_ id: ResourceID, _ device: String, _ frames: FrameSender, now: Int) -> Int32? {
        guard let index = frames.index(of: device), let sniffer = try? Sniffer.ofVRRP(linkIndex: index) else {
            nextRetry = now + Self.retryMilliseconds
            return nil
        }
        sniffers[id] = sniffer
        return sniffer.descriptor
    }
}
