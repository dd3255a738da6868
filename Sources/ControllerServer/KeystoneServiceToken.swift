import NetworkModel

/// This server's own token at Keystone: got when it is needed first, and renewed before it expires.
actor KeystoneServiceToken {
    /// A token with less than this left is renewed.
    static let renewalMarginSeconds = 60
    /// Keystone locks users out whose password is wrong again and again: after a failure it is left alone for a moment.
    static let pauseAfterFailureSeconds = 5

    private let client: KeystoneClient
    private let now: @Sendable () -> Timestamp
    private var current: (text: String, expiresAt: Timestamp)?
    private var renewal: Task<(text: String, expiresAt: Timestamp), any Error>?
    private var failure: (failure: KeystoneFailure, at: Timestamp)?

    init(client: KeystoneClient, now: @escaping @Sendable () -> Timestamp) {
        self.client = client
        self.now = now
    }

    /// The token; those who ask while it is renewed share one request.
    func text() async throws(KeystoneFailure) -> String {
        let moment = now().secondsSince1970
        if let current, moment + Self.renewalMarginSeconds < current.expiresAt.secondsSince1970 { return current.text }
        if let failure, (0..<Self.pauseAfterFailureSeconds).contains(moment - failure.at.secondsSince1970) { throw failure.failure }
        let task = renewal ?? Task { [client] in try await client.authenticate() }
        renewal = task
        let result = await task.result
        // The first that resumes writes the result down; the others find it written.
        if renewal == task { note(result) }
        do { return try result.get().text } catch { throw error as? KeystoneFailure ?? KeystoneFailure(description: "\(error)") }
    }

    private func note(_ result: Result<(text: String, expiresAt: Timestamp), any Error>) {
        renewal = nil
        failure = nil
        switch result {
        case .success(let token): current = token
        case .failure(let error as KeystoneFailure): failure = (error, now())
        case .failure: break
        }
    }

    /// Forgets a token that Keystone refused.
    func discard(_ text: String) {
        if current?.text == text { current = nil }
    }
}
