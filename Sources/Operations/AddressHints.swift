import Addressing
import NetworkModel
import Synchronization

/// Where the search for a free address of a pool may begin: everything before it was allocated when last looked at.
///
/// Only a shortcut. A hint that is wrong, because a transaction was rolled back or another server released an address, costs a second search
/// from the start of the pool when the first finds nothing; the database decides which address is free.
final class AddressHints: Sendable {
    /// Subnets that are remembered at most; past that all are forgotten.
    private static let maximumSubnets = 100_000

    /// By subnet, then by the first address of the pool.
    private let starts = Mutex<[ResourceID: [UInt128: UInt128]]>([:])

    func start(of pool: IPRange, in subnetID: ResourceID) -> UInt128 {
        let start = starts.withLock { $0[subnetID]?[pool.first.number] } ?? pool.first.number
        return start <= pool.last.number ? max(start, pool.first.number) : pool.first.number
    }

    func note(firstFree: UInt128, of pool: IPRange, in subnetID: ResourceID) {
        starts.withLock { starts in
            if starts.count >= Self.maximumSubnets, starts[subnetID] == nil { starts.removeAll() }
            starts[subnetID, default: [:]][pool.first.number] = firstFree
        }
    }

    func released(_ address: IPAddress, in subnetID: ResourceID) {
        starts.withLock { starts in
            guard let pools = starts[subnetID] else { return }
            for (first, start) in pools where first <= address.number && address.number < start {
                starts[subnetID]?[first] = address.number
            }
        }
    }

    func forget(_ subnetID: ResourceID) { starts.withLock { $0[subnetID] = nil } }
}
