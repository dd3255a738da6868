import Converters
import Drivers
import Glibc
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
    /// Nil before anything was heard or seen.
    var state: HAState?
    var keepalived = KeepalivedMember()
    /// Whether the keepalived that runs has said what it is.
    var hasSpoken = false
    /// Whether it has still to: it was started here. Of one that was adopted nobody knows what it said.
    var expectsWord = false
    /// Nil where the election reads the pipe.
    var reader: Task<Void, Never>?
    var close: @Sendable () -> Void = {}
    /// Waits to have conntrackd adopt connections.
    var adoption: Task<Void, Never>?

    func stopListening() {
        adoption?.cancel()
        close()
        reader?.cancel()
    }
}

extension Agent {
    /// Begins to listen to new HA routers and forgets those that went.
    ///
    /// - Parameter suspects: routers to compare with the addresses that are really there, nil for all: what was written into a pipe while no
    ///   agent listened may be lost, and a killed keepalived says nothing at all.
    func refreshMembers(lookingAt suspects: Set<ResourceID>?) {
        for id in members.keys where !isMember(view.routers[id]) { leave(id) }
        for router in view.routers.values.sorted(by: { $0.id < $1.id }) where isMember(router) {
            let isNew = members[router.id] == nil
            if isNew { listen(to: router) }
            if isNew || suspects?.contains(router.id) ?? true { look(at: router) }
        }
    }

    /// A router that is administratively down has no keepalived, and its notify pipe goes with it: a new one comes when it is up again.
    private func isMember(_ router: HostRouter?) -> Bool {
        guard let router else { return false }
        return router.redundancy != nil && router.isAdminStateUp
    }

    private func leave(_ id: ResourceID) {
        members[id]?.stopListening()
        if view.routers[id]?.redundancy != nil {
            set(.standby, of: id)
        } else {
            // Beside the files that the supervisor made and removed, keepalived's log and our state file.
            try? processes.removeFile(paths(of: id).directory)
        }
        members[id] = nil
    }

    private func listen(to router: HostRouter) {
        let id = router.id
        if senses.election != nil {
            members[id] = RouterMembership()
            return
        }
        do {
            let pipe = try senses.openPipe(paths(of: id).notifyPipe)
            let reader = Task {
                for await line in pipe.lines { self.heard(line, of: id) }
            }
            members[id] = RouterMembership(state: nil, reader: reader, close: pipe.close)
        } catch {
            logger.warning("The notify pipe of a router cannot be read yet", metadata: ["router": "\(id)", "error": "\(error)"])
        }
    }

    func heard(_ line: String, of id: ResourceID) {
        guard let notification = KeepalivedNotification(line: line), members[id] != nil else { return }
        if members[id]?.keepalived.note(notification) == true { reloadKeepalived(of: id) }
        noteWord(of: id, isLast: notification.state == .stop || notification.state == .deleted)
        set(HAState(notification.state), of: id)
    }

    private func noteWord(of id: ResourceID, isLast: Bool) {
        members[id]?.hasSpoken = !isLast
        members[id]?.expectsWord = false
        guard routerFindings[id] == .silent else { return }
        routerFindings[id] = nil
        reviewRouters()
    }

    /// After a cycle: a keepalived that was started says within milliseconds that it is backup. One that does without its instance says nothing.
    func expectWords(after result: ApplyReport) {
        for action in result.daemonActions where action.kind == .started || action.kind == .restarted {
            guard let id = KeepalivedDaemon.router(ofKey: action.key).flatMap({ ResourceID($0) }) else { continue }
            guard let member = members[id] else { continue }
            // Its word may have come before the cycle that tells of its start.
            members[id]?.expectsWord = !member.hasSpoken
        }
    }

    /// The next one begins anew.
    func noteEnd(ofKeepalivedOf id: ResourceID) {
        members[id]?.hasSpoken = false
        members[id]?.expectsWord = false
    }

    /// Compares a member with the addresses in its namespace, and takes away what a killed keepalived left on a standby.
    private func look(at router: HostRouter) {
        let namespace = RouterConverter.namespace(of: router.id)
        guard let addresses = try? kernel.addresses(in: namespace),
            let found = RouterOwnership.state(of: router, addresses: addresses)
        else { return }
        let isGroupMember = isKeepalivedRunning(of: router.id)
        // Of what comes later keepalived tells by its pipe, and in the right order.
        if members[router.id]?.state == nil, isGroupMember { senses.election?.note(router.id, found == .active ? .master : .backup) }
        // A master without its keepalived goes on until another has taken over: the election takes its addresses away then. Of one whose
        // keepalived ended while no agent was here, it knows only from this look.
        if !isGroupMember, let election = senses.election {
            if members[router.id]?.state == nil, found == .active { election.note(router.id, .headless) }
            return
        }
        // Else nobody is told of a successor: without its keepalived no member is the master.
        set(isGroupMember ? found : .standby, of: router.id)
        let suspects = RouterOwnership.staleAddresses(of: router, addresses: addresses, isKeepalivedRunning: isGroupMember)
        // A list is no snapshot: of a member that became master meanwhile it may lack the group's address and show others. So twice.
        guard !suspects.isEmpty, let again = try? kernel.addresses(in: namespace) else { return }
        let confirmed = RouterOwnership.staleAddresses(of: router, addresses: again, isKeepalivedRunning: isGroupMember)
        for stale in suspects.intersection(confirmed) {
            logger.warning("A standby held an address of the master", metadata: ["router": "\(router.id)", "address": "\(stale.address)"])
            try? kernel.perform(.removeAddress(stale, namespace))
        }
    }

    /// keepalived 2.2.7 opens no socket on a VRRP device that was made anew until it reloads: see ``KeepalivedMember``.
    private func reloadKeepalived(of id: ResourceID) {
        // The line may be old, and the number in the file another process's by now.
        guard let process = runningKeepalived(of: id) else { return }
        try? processes.signal(SIGHUP, process: process)
    }

    private func keepalivedProcess(of id: ResourceID) -> Int32? {
        guard let text = try? processes.readFile(paths(of: id).processID) else { return nil }
        return Int32(text.filter { !$0.isWhitespace })
    }

    private func runningKeepalived(of id: ResourceID) -> Int32? {
        guard let number = keepalivedProcess(of: id), let process = processes.process(id: number),
            process.command.contains(paths(of: id).configuration)
        else { return nil }
        return number
    }

    private func isKeepalivedRunning(of id: ResourceID) -> Bool { runningKeepalived(of: id) != nil }

    private func paths(of id: ResourceID) -> KeepalivedPaths { RouterConverter.paths(of: id, settings: configuration.settings) }

    func set(_ state: HAState, of id: ResourceID) {
        guard let member = members[id], member.state != state else { return }
        members[id]?.state = state
        externalAddresses = nil
        ownConnections(of: id, since: member.state, state)
        logger.notice("A router changed its VRRP state", metadata: ["router": "\(id)", "state": "\(state.rawValue)"])
        do { try processes.writeFile(paths(of: id).state, state.stateFileText) } catch {
            logger.error("The state file of a router cannot be written", metadata: ["router": "\(id)", "error": "\(error)"])
        }
        outbox.add(HostStatus.RouterReport(routerID: id, state: state, failure: routerReport(id)?.failure))
        reportWakeUp()
    }

    /// A master takes the connections over that it inherited, some time after it took the addresses; a former master lets go of them at once.
    private func ownConnections(of id: ResourceID, since former: HAState?, _ state: HAState) {
        members[id]?.adoption?.cancel()
        members[id]?.adoption = nil
        guard view.routers[id]?.redundancy?.replicatesConnections == true, view.routers[id]?.redundancy?.peers.isEmpty == false else {
            return
        }
        if state == .active {
            members[id]?.adoption = Task {
                do { try await Task.sleep(for: .seconds(RouterErrands.adoptionSeconds)) } catch { return }
                errands.own(connectionsOf: id, true)
            }
        } else if former == .active {
            errands.own(connectionsOf: id, false)
        }
    }
}
