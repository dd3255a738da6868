import APISchema
import NetworkModel
import Store

/// What Nova was told of each port of an instance, so that what it must be told is a difference: of the log's changes while this server
/// follows it, of everything after a start or a takeover from another server.
///
///     port row ──▶ NovaPort ──┐
///                             ├─ differ ──▶ events ──▶ Nova ──▶ kept as told
///     as told  ──▶ NovaPort ──┘
struct NovaLedger: Sendable {
    /// Rows that one transaction reads or writes.
    static let rowsPerTransaction = 500
    private static let seedKey = "nova_seeded"

    /// As told, or as queued to be told.
    private var ports: [ResourceID: NovaPort] = [:]
    /// Floating IP → the port that it leads to, to know the port that it left.
    private var portsByFloatingIP: [ResourceID: ResourceID] = [:]
    /// Ports whose rows of what was told are not yet as `ports` has them.
    private var unsaved: Set<ResourceID> = []
    private(set) var revision: Int

    var isSaved: Bool { unsaved.isEmpty }

    /// Reads everything. Returns what Nova missed while no server told it anything; nothing when this is the first start with Nova.
    static func load(_ store: Store) async throws -> (ledger: NovaLedger, events: [NovaEvent]) {
        let (told, isSeeded) = try await store.read { transaction in
            (
                try transaction.rows("SELECT port_id, state FROM nova_ports"),
                try !transaction.rows("SELECT 1 FROM metadata WHERE key = ?", [.text(seedKey)]).isEmpty
            )
        }
        var ledger = NovaLedger(revision: 0)
        for row in told {
            guard case .text(let id) = row[0], let id = ResourceID(id), case .text(let text) = row[1] else { continue }
            ledger.ports[id] = NovaPort(text: text)
        }
        let (ports, floatingIPs, revision) = try await store.read { transaction in
            (try transaction.list(Port.self), try transaction.list(FloatingIP.self), try transaction.currentRevision)
        }
        ledger.revision = revision
        let byPort = Dictionary(grouping: floatingIPs.filter { $0.portID != nil }, by: \.portID)
        var current: [ResourceID: NovaPort] = [:]
        var existing: Set<ResourceID> = []
        for port in ports {
            existing.insert(port.id)
            current[port.id] = NovaPort(port, floatingIPs: byPort[port.id] ?? [])
        }
        for floating in floatingIPs { ledger.portsByFloatingIP[floating.id] = floating.portID }
        var events: [NovaEvent] = []
        for id in Set(ledger.ports.keys).union(current.keys).sorted() {
            events += ledger.replace(id, with: current[id], isDeleted: !existing.contains(id))
        }
        return (ledger, isSeeded ? events : [])
    }

    private init(revision: Int) { self.revision = revision }

    /// Reads what the log has after the ledger's revision: the events, and whether there may be more. Nil when the log no longer reaches back.
    mutating func follow(_ store: Store, limit: Int) async throws -> (events: [NovaEvent], hasMore: Bool)? {
        let after = revision
        let known = portsByFloatingIP
        let page = try await store.read { transaction -> Page? in
            let oldest = try transaction.oldestRevision
            guard oldest <= after + 1 else { return nil }
            return try Page(transaction.changes(after: after, limit: limit), known, transaction)
        }
        guard let page else { return nil }
        guard let last = page.last, last > revision else { return ([], false) }
        revision = last
        for (id, portID) in page.floatingIPs { portsByFloatingIP[id] = portID }
        var events: [NovaEvent] = []
        for (id, port) in page.ports.sorted(by: { $0.key < $1.key }) {
            events += replace(id, with: port.state, isDeleted: port.isDeleted)
        }
        return (events, page.isFull)
    }

    private mutating func replace(_ id: ResourceID, with new: NovaPort?, isDeleted: Bool) -> [NovaEvent] {
        let old = ports[id]
        guard old != new else { return [] }
        ports[id] = new
        unsaved.insert(id)
        return NovaPort.events(of: id, from: old, to: new, isDeleted: isDeleted)
    }

    /// Keeps what was told: to be called when Nova has it.
    mutating func save(_ store: Store) async throws {
        for start in stride(from: 0, to: max(unsaved.count, 1), by: Self.rowsPerTransaction) {
            let rows = unsaved.sorted().dropFirst(start).prefix(Self.rowsPerTransaction).map { ($0.description, ports[$0]?.text) }
            try await store.write { transaction in
                for (id, text) in rows {
                    try transaction.execute("DELETE FROM nova_ports WHERE port_id = ?", [.text(id)])
                    guard let text else { continue }
                    try transaction.execute("INSERT INTO nova_ports (port_id, state) VALUES (?, ?)", [.text(id), .text(text)])
                }
                _ = try transaction.insertIfAbsent(
                    table: "metadata", columns: ["key", "value"], values: [.text(Self.seedKey), .text("1")])
            }
        }
        unsaved = []
    }

    /// What the changes of the log say of ports.
    private struct Page: Sendable {
        var ports: [ResourceID: (state: NovaPort?, isDeleted: Bool)] = [:]
        /// Where changed floating IPs lead to now.
        var floatingIPs: [ResourceID: ResourceID?] = [:]
        var last: Int?
        var isFull: Bool

        init(_ changes: [Change], _ known: [ResourceID: ResourceID], _ transaction: StoreTransaction) throws {
            last = changes.last?.revision
            isFull = !changes.isEmpty
            var concerned: Set<ResourceID> = []
            for change in changes {
                guard let id = ResourceID(change.id) else { continue }
                switch change.kind {
                case Port.table.plural: concerned.insert(id)
                case FloatingIP.table.plural:
                    let portID = try transaction.find(FloatingIP.self, id)?.portID
                    floatingIPs[id] = .some(portID)
                    for portID in [known[id], portID] { if let portID { concerned.insert(portID) } }
                default: break
                }
            }
            for id in concerned {
                guard let port = try transaction.find(Port.self, id) else {
                    ports[id] = (nil, true)
                    continue
                }
                var query = ListQuery()
                query.filters = [.column("port_id", [id.columnValue])]
                ports[id] = (NovaPort(port, floatingIPs: try transaction.list(FloatingIP.self, query)), false)
            }
        }
    }
}
