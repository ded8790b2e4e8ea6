"""Who may come in: accounts and their roles, what they prove themselves with, where they sign in, who is still needed.

In come what a person typed, a passkey's answer or a provider's token, and the instant; out comes an account with
its roles, or the one answer that tells nothing.
Always true: every change of who may do what is an entry of the log; no answer tells whether an account exists;
who administers accounts opens no record.
"""
