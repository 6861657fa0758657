"""Floor 4: what the facts mean.

``rule`` what a rule is · ``registry`` which there are and their pages · ``closing`` who gave up ·
``context`` the neighbours, ``recent`` how many · ``chain`` certificates judged · ``engine`` picks the cause ·
``words``, ``evidence``, ``commands`` how findings are written · ``rules/<family>/`` the causes.
"""
