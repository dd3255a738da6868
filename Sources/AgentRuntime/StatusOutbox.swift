import HostModel
import NetworkModel

/// What the server has still to hear. Later reports of the same thing replace earlier ones, so that the outbox is bounded by what the host holds.
struct StatusOutbox: Sendable {
    /// Sentences about failures that one report carries.
    static let maximumFailures = 20
    /// Octets of one sentence; the server refuses a report with longer ones.
    static let maximumSentenceBytes = 2000
    /// Conflicts that one report carries.
    static let maximumConflicts = 100
    /// Octets of ports and routers that one report carries, about; the rest goes with the next. The server takes no body beyond 1 MiB, in which what the
    /// failures, conflicts and their escapes in JSON take has its place as well.
    static let maximumReportBytes = 256 * 1024
    /// What a port, or a router without its failure, takes in a report at most.
    static let subjectBytes = 128

    private struct PortKey: Hashable {
        var portID: ResourceID
        var component: HostStatus.Component
    }

    private var ports: [PortKey: HostStatus.PortReport] = [:]
    private var routers: [ResourceID: HostStatus.RouterReport] = [:]
    private var failures: [String] = []
    private var conflicts: [ResourceID: HostStatus.MasterConflict] = [:]
    private(set) var appliedRevision: Int?
    /// Whether something waits that should not wait for the heartbeat.
    private(set) var isUrgent = false

    mutating func add(_ report: HostStatus.PortReport) {
        ports[PortKey(portID: report.portID, component: report.component)] = report
        isUrgent = true
    }

    mutating func add(_ report: HostStatus.RouterReport) {
        routers[report.routerID] = report
        isUrgent = true
    }

    mutating func set(failures: [String]) {
        let kept = failures.prefix(Self.maximumFailures).map(Self.fit)
        if kept != self.failures { isUrgent = true }
        self.failures = kept
    }

    /// A program's own words may hold anything.
    static func fit(_ sentence: String) -> String {
        String(decoding: sentence.utf8.lazy.filter { $0 != 0 }.prefix(maximumSentenceBytes), as: UTF8.self)
    }

    /// Routers of which this host and another one claim to be master: each report says all of them.
    mutating func set(conflict: HostStatus.MasterConflict?, of routerID: ResourceID) {
        guard conflicts[routerID] != conflict, conflict == nil || conflicts.count < Self.maximumConflicts else { return }
        conflicts[routerID] = conflict
        isUrgent = true
    }

    mutating func set(appliedRevision: Int) { self.appliedRevision = appliedRevision }

    /// What waits, as one report: as much as it may carry. When something is left, ``isUrgent`` says so. When sending fails, give it back with
    /// ``restore(_:)``.
    mutating func take(_ registration: HostStatus.Registration) -> HostStatus {
        var room = Self.maximumReportBytes
        func fits(_ bytes: Int) -> Bool {
            room -= bytes
            return room >= 0
        }
        // Routers first: who is master is news to more than one port.
        let routers = routers.values.sorted { $0.routerID < $1.routerID }
            .prefix { fits(Self.subjectBytes + 2 * ($0.failure?.utf8.count ?? 0)) }
        let ports = ports.values.sorted { ($0.portID, $0.component.rawValue) < ($1.portID, $1.component.rawValue) }
            .prefix { _ in fits(Self.subjectBytes) }
        for report in routers { self.routers[report.routerID] = nil }
        for report in ports { self.ports[PortKey(portID: report.portID, component: report.component)] = nil }
        isUrgent = !self.routers.isEmpty || !self.ports.isEmpty
        return HostStatus(
            registration: registration, appliedRevision: appliedRevision, ports: Array(ports), routers: Array(routers), failures: failures,
            conflicts: conflicts.isEmpty ? nil : conflicts.values.sorted { $0.routerID < $1.routerID })
    }

    /// Puts back what could not be sent, unless something newer waits.
    mutating func restore(_ status: HostStatus) {
        for report in status.ports {
            let key = PortKey(portID: report.portID, component: report.component)
            if ports[key] == nil { ports[key] = report }
        }
        for report in status.routers where routers[report.routerID] == nil { routers[report.routerID] = report }
        isUrgent = isUrgent || !status.ports.isEmpty || !status.routers.isEmpty
    }
}
