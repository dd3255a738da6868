/// What the agent hears of, or looks at by itself, beside its cycles.
extension Agent {
    func watchLinks() async {
        for await _ in senses.linkChanges {
            if Task.isCancelled { return }
            reconciler.markLinksDirty(nil)
            cycleWakeUp()
        }
    }

    func watchNamespaceLinks() async {
        for await namespace in senses.namespaceChanges {
            if Task.isCancelled { return }
            reconciler.markLinksDirty(namespace)
            cycleWakeUp()
        }
    }

    /// A forwarding entry or neighbour that is gone sends packets astray.
    func watchEntries() async {
        for await entry in senses.entryLosses {
            if Task.isCancelled { return }
            if reconciler.noteLoss(of: entry) { cycleWakeUp() }
        }
    }

    /// A flushed ruleset protects nobody: it does not wait for the next full check.
    func watchFirewalls() async {
        guard let changes = senses.rulesetChanges else { return }
        for await place in changes {
            if Task.isCancelled { return }
            if reconciler.findChangedFirewall(in: place) { cycleWakeUp() }
        }
    }

    /// Also, more seldom, where somebody tells of changes: there are namespaces beyond those that are listened to, and events get lost. Of the settings
    /// that belong to the firewall nobody tells.
    func lookAtFirewalls() async {
        let factor = senses.rulesetChanges == nil ? 1 : Self.firewallCheckFactor
        var turn = 0
        while !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(configuration.firewallCheckMilliseconds))
            turn = (turn + 1) % factor
            let hasChangedSettings = reconciler.findChangedSettings()
            let hasChangedFirewalls = turn == 0 && reconciler.findChangedFirewalls()
            if hasChangedSettings || hasChangedFirewalls { cycleWakeUp() }
        }
    }

    /// Of connections that come nobody tells: there would be a message for each.
    func watchConnections() async {
        guard let connectionGuard else { return }
        while !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(ConnectionGuard.watchMilliseconds))
            if viewRevision != nil { connectionGuard.watch(view, now: milliseconds) }
        }
    }
}
