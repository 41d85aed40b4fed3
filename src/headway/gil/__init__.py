"""`headway gil`: how far threads scale, measured on any interpreter of the machine."""
