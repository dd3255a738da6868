import APISchema
import AccessPolicy
import NetworkModel
import Store

/// The verbs of the API. Each is one transaction: checks, decisions and rows, read from top to bottom; what throws leaves nothing behind.
///
/// The generic verbs serve every ``ManagedResource``; the others stand in the files of their resources.
public struct Operations: Sendable {
    /// How often a verb is tried again when a row that it wanted was taken by another server between its check and its insert. The second
    /// try sees that row, so more than one is already rare.
    static let maximumConflictRetries = 3

    public let store: Store
    public let settings: ServerSettings
    /// Who may do what.
    public let policy: PolicyBook
    let now: @Sendable () -> Timestamp
    let random: RandomSource
    let hints = AddressHints()

    /// - Parameters:
    ///   - now: the clock.
    ///   - random: a source of random words; the system's where nothing must be repeatable.
    public init(
        store: Store, settings: ServerSettings, policy: PolicyBook = PolicyBook(), now: @escaping @Sendable () -> Timestamp,
        random: @escaping @Sendable () -> UInt64
    ) {
        self.store = store
        self.settings = settings
        self.policy = policy
        self.now = now
        self.random = RandomSource(word: random)
    }

    /// Creates a resource (POST with the singular member).
    public func create<R: ManagedResource>(_ request: ResourceRequest<R>, caller: Caller) async throws -> R {
        try await write(caller) { verb in try verb.withComputed(try verb.create(request)) }
    }

    /// Creates several resources, all or none (POST with the plural member).
    public func create<R: ManagedResource>(_ requests: [ResourceRequest<R>], caller: Caller) async throws -> [R] {
        try await write(caller) { verb in
            try R.checkBulk(requests, in: verb)
            return try R.withComputed(try requests.map { try verb.create($0) }, in: verb)
        }
    }

    /// Changes a resource (PUT).
    public func update<R: ManagedResource>(
        _ type: R.Type, _ id: String, _ request: ResourceRequest<R>, ifMatch: RevisionConstraint? = nil, caller: Caller
    ) async throws -> R {
        try await write(caller) { verb in
            let resource = try verb.visible(R.self, id)
            try verb.authorizeUpdate(resource, request)
            try ifMatch?.check(resource)
            return try verb.withComputed(try R.update(resource, request, in: verb))
        }
    }

    /// Deletes a resource.
    public func delete<R: ManagedResource>(_ type: R.Type, _ id: String, ifMatch: RevisionConstraint? = nil, caller: Caller) async throws {
        try await write(caller) { verb in
            try R.delete(try verb.authorized(R.self, id, to: "delete_\(R.policyName)", ifMatch: ifMatch), in: verb)
        }
    }

    /// One resource; 404 when the caller may not see it.
    public func show<R: ManagedResource>(_ type: R.Type, _ id: String, caller: Caller) async throws -> R {
        try await readBriefly(caller) { verb in try verb.withComputed(try verb.visible(R.self, id)) }
    }

    /// The resources that the caller may see, one page at most.
    public func list<R: ManagedResource>(_ type: R.Type, _ query: ListQuery, caller: Caller) async throws -> [R] {
        if R.self == SecurityGroup.self { try await ensureDefaultGroup(asked: query, caller) }
        return try await read(caller) { verb in try verb.list(R.self, query) }
    }

    // MARK: Transactions

    func write<T: Sendable>(_ caller: Caller, _ body: @escaping @Sendable (Verb) throws -> T) async throws -> T {
        // Of what is written for the caller, its project is the one text that no body of a request carried and no table checked.
        try Verb.checkProject(caller.projectID)
        var retries = 0
        while true {
            do {
                return try await store.write { transaction in try body(verb(transaction, caller)) }
            } catch StoreError.uniqueViolation where retries < Self.maximumConflictRetries {
                retries += 1
            }
        }
    }

    func read<T: Sendable>(_ caller: Caller, _ body: @escaping @Sendable (Verb) throws -> T) async throws -> T {
        try await store.read { transaction in try body(verb(transaction, caller, ParentValues())) }
    }

    /// For a row or a few, by their keys.
    func readBriefly<T: Sendable>(_ caller: Caller, _ body: @escaping @Sendable (Verb) throws -> T) async throws -> T {
        try await store.readBriefly { transaction in try body(verb(transaction, caller, ParentValues())) }
    }

    private func verb(_ transaction: StoreTransaction, _ caller: Caller, _ parentValues: ParentValues? = nil) -> Verb {
        let rules = policy.rules(for: caller)
        var caller = caller
        caller.isAdmin = rules.isAdmin
        return Verb(
            transaction: transaction, caller: caller, policy: rules, settings: settings, now: now(), random: random, hints: hints,
            parentValues: parentValues)
    }
}

/// Random words from a closure, so that tests can repeat what they saw.
struct RandomSource: RandomNumberGenerator, Sendable {
    let word: @Sendable () -> UInt64
    mutating func next() -> UInt64 { word() }
}

/// `If-Match: revision_number=N`.
public struct RevisionConstraint: Sendable, Hashable {
    public var revisionNumber: Int
    public init(revisionNumber: Int) { self.revisionNumber = revisionNumber }

    func check<R: ManagedResource>(_ resource: R) throws(APIError) {
        guard let current = resource.revisionNumber, current != revisionNumber else { return }
        throw APIError(
            status: 412, type: "RevisionNumberConstraintFailed",
            message: "Constrained to \(revisionNumber), but current revision is \(current)")
    }
}
