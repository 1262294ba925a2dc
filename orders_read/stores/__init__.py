"""One module per technology that can hold read models, chosen by `settings.READ_STORES`."""
