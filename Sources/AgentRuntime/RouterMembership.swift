import Converters
import HostModel
import KernelInterface
import Logging
import NetworkModel
import ServiceProcesses

/// What the agent knows of its part in one VRRP group.
///
///              keepalived: MASTER
///      standby ──────────────────▶ active
///         ▲                          │
///         └──────────────────────────┘
///            BACKUP, FAULT, STOP, or the group's address is gone
struct RouterMembership {
    var state: HAState
    var reader: Task<Void, Never>
    var close: @Sendable () -> Void
}

extension Agent {
    /// Begins to listen to new HA routers, forgets those that went, and compares states with the addresses that are really there: what was
    /// written into a pipe while no agent listened may be lost.
    func refreshMembers() {
        for (id, member) in members where view.routers[id]?.redundancy == nil {
            member.close()
            member.reader.cancel()
            members[id] = nil
        }
        for router in view.routers.values.sorted(by: { $0.id < $1.id }) where router.redundancy != nil && router.isAdminStateUp {
            if members[router.id] == nil { listen(to: router) }
            if let observed = observedState(of: router) { set(observed, of: router.id) }
        }
    }

    private func listen(to router: HostRouter) {
        let id = router.id
        do {
            let pipe = try senses.openPipe(KeepalivedPaths(routerID: id, stateDirectory: configuration.settings.stateDirectory).notifyPipe)
            let reader = Task {
                for await line in pipe.lines { self.heard(line, of: id) }
            }
            members[id] = RouterMembership(state: .unknown, reader: reader, close: pipe.close)
        } catch {
            logger.warning("The notify pipe of a router cannot be read yet", metadata: ["router": "\(id)", "error": "\(error)"])
        }
    }

    private func heard(_ line: String, of id: ResourceID) {
        guard let notification = KeepalivedNotification(line) else { return }
        set(notification.state, of: id)
    }

    /// Whether this member holds the group's address. Nil when the namespace cannot be read.
    private func observedState(of router: HostRouter) -> HAState? {
        guard let redundancy = router.redundancy,
            let addresses = try? kernel.addresses(in: RouterConverter.namespace(of: router.id))
        else { return nil }
        return RouterOwnership.isMaster(addresses: addresses, redundancy: redundancy) ? .active : .standby
    }

    private func set(_ state: HAState, of id: ResourceID) {
        guard let member = members[id], member.state != state else { return }
        members[id]?.state = state
        logger.notice("A router changed its VRRP state", metadata: ["router": "\(id)", "state": "\(state.rawValue)"])
        let path = KeepalivedPaths(routerID: id, stateDirectory: configuration.settings.stateDirectory).state
        do { try processes.writeFile(path, state == .active ? "master" : "backup") } catch {
            logger.error("The state file of a router cannot be written", metadata: ["path": "\(path)", "error": "\(error)"])
        }
        outbox.add(HostStatus.RouterReport(routerID: id, state: state))
        reportWakeUp()
    }
}
