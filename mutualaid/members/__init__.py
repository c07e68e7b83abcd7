"""Who is here: signing in, real names, consents, sessions."""
